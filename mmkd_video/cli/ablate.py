"""The code behind ``tools/ablate.py``: what each loss adds to logits alone, at one small budget."""

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from mmengine.config import Config

import mmkd_video  # noqa: F401  the stack must be mended before a config with custom imports is read
from mmkd_video.cli.arguments import checked_numbers
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.interrupts import exit_on_sigterm
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.plain_student import is_distillation, plain_student
from mmkd_video.workflows.compare.ablation import ALONE, Ablation
from mmkd_video.workflows.train.prepare import prepare
from mmkd_video.workflows.train.run_folder import RunFolder

METAFILE = Path('configs/losses/metafile.yml')
COLLECTION, DATA = 'mmkd_video losses', 'motion clips'


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is not finished yet, print the table and record it."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    exit_on_sigterm()
    command = shlex.join(['python', 'tools/ablate.py', *(sys.argv[1:] if arguments is None else arguments)])
    with exit_on_error(parser, resumes=True):
        paths = [options.baseline, *(path for path in options.configs if path != options.baseline)]
        configs = {Path(path).stem: read_config(path, options.cfg_options) for path in paths}
        for name, config in configs.items():
            if not is_distillation(config):
                raise ValueError(f"{name}: model.type is {config.model.get('type')!r}; expected 'Distiller'")
            shorten(config, options.epochs)
        prepare(configs[Path(options.baseline).stem], allowed=not options.no_prepare)
        scores = run_all(configs, options.seeds, Path(options.work_dir), options.metric)
        clips = count_clips(configs[Path(options.baseline).stem])
    command = command.replace(f' --record {options.record}', '').replace(' --record', '')
    ablation = Ablation(
        command, Path(options.baseline).stem, options.epochs, clips, options.metric, list(options.seeds), scores
    )
    text = f'{ablation.table(ablation.names)}\n\n{ablation.budget()}\n'
    write_atomically(text.encode(), Path(options.work_dir) / 'ablation.md')
    write_atomically(as_yaml(ablation.as_dict()), Path(options.work_dir) / 'ablation.yml')
    print(f'\n{text}\nsaved in {options.work_dir}: ablation.md, ablation.yml')
    if options.record:
        record(ablation, Path(options.record))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog='ablate.py',
        description='Compare losses with logits alone and with the student alone, at one budget: same seeds, steps, '
        'augmentation and learning rate, no validation; the last checkpoint is scored on test. What all share is '
        'trained once; finished runs are kept, an interrupted one is resumed.',
        epilog=EXITS,
    )
    parser.add_argument('configs', nargs='+', help="distillation configs that hold the baseline's terms and more")
    parser.add_argument('--baseline', default='configs/losses/kd.py', help='what they are compared with')
    parser.add_argument('--epochs', type=int, default=8, help='of each training; the learning rate ends with them')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], help='of the runs')
    parser.add_argument('--metric', default='acc/top1', help='compared on test')
    parser.add_argument('--work-dir', default='work_dirs/ablation', help='one folder for each run')
    parser.add_argument('--record', nargs='?', const=str(METAFILE), metavar='FILE', help=f'{METAFILE} by default')
    parser.add_argument('--no-prepare', action='store_true', help='neither render clips nor train the teacher first')
    add_cfg_options(parser)
    return checked_numbers(parser)


def run_all(configs: Mapping[str, Config], seeds: Sequence[int], work_dir: Path, metric: str) -> dict[str, list[float]]:
    """Run what is not finished yet: every config once for a seed before the next seed.

    Args:
        configs: By name, the baseline first; the student alone is derived from it.
        seeds: Of the runs.
        work_dir: Has one folder for each run.
        metric: What is compared.

    Returns:
        Scores by name, one for each seed.

    Raises:
        ValueError: A folder holds a run of another config, or the test has no such metric.
        RuntimeError: A run failed.
    """
    variants = {ALONE: plain_student(next(iter(configs.values()))), **configs}
    scores: dict[str, list[float]] = {name: [] for name in variants}
    for seed in seeds:
        for name, base in variants.items():
            config = Config(base.to_dict(), filename=base.filename)
            config.prepare = None
            config.randomness = dict(dict(config.get('randomness') or {}), seed=seed)
            found = RunFolder(work_dir / name.replace(' ', '_') / f'seed{seed}', config).result()['metrics']
            if metric not in found:
                raise ValueError(f'--metric: got {metric!r}; the test measures {", ".join(found) or "nothing"}')
            scores[name].append(found[metric])
            print(f'{name}, seed {seed}: {metric} {found[metric]:.4f}', flush=True)
    return scores


def shorten(config: Config, epochs: int) -> None:
    """Let a training last some epochs, with what ended at its end ending there, and without validation.

    Args:
        config: It is changed.
        epochs: At least 1.

    Raises:
        ValueError: The config trains by iterations, or ``epochs`` is below 1.
    """
    before = config.train_cfg.get('max_epochs')
    if before is None or epochs < 1:
        raise ValueError(f'--epochs: got {epochs} for a training of max_epochs={before}; expected epochs, at least 1')
    config.train_cfg.update(max_epochs=epochs, val_begin=epochs + 1)
    schedulers = config.get('param_scheduler') or []
    for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
        if scheduler.get('by_epoch', True) and scheduler.get('end') == before:
            scheduler['end'] = epochs
            if 'T_max' in scheduler:
                scheduler['T_max'] = epochs - scheduler.get('begin', 0)


def count_clips(config: Config) -> int:
    """Return the number of lines of the training annotations."""
    dataset = config.train_dataloader.dataset
    lines = Path(dataset.get('data_root') or '', dataset.ann_file).read_text().splitlines()
    return sum(bool(line.strip()) for line in lines)


def record(ablation: Ablation, path: Path) -> None:
    """Write an ablation into a metafile, in the place of an older one.

    Args:
        ablation: What was measured.
        path: Of the metafile.
    """
    models = []
    for name in ablation.names:
        shown = (ALONE, ablation.baseline, name)
        means = {each: round(sum(ablation.scores[each]) / len(ablation.seeds), 4) for each in shown}
        models.append(
            {
                'Name': f'{name}_ablation',
                'Config': f'configs/losses/{name}.py',
                'In Collection': COLLECTION,
                'Metadata': {'Epochs': ablation.epochs, 'Training Data': DATA},
                'Results': [{'Task': 'Action Recognition', 'Dataset': DATA, 'Metrics': means}],
            }
        )
    collection = {'Name': COLLECTION, 'README': 'docs/losses/README.md'}
    write_atomically(as_yaml({'Collections': [collection], 'Models': models, 'Ablation': ablation.as_dict()}), path)


def as_yaml(content: Mapping) -> bytes:
    """Return a mapping as YAML, in its order."""
    return yaml.safe_dump(dict(content), sort_keys=False, width=120).encode()


if __name__ == '__main__':
    main()
