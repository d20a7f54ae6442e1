"""An ablation from its configs to the table: what each loss adds to logits alone, at one small budget."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from mmengine.config import Config

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.budget import count_clips
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.plain_student import is_distillation, plain_student
from mmkd_video.workflows.compare.ablation import ALONE, Ablation
from mmkd_video.workflows.train.prepare import prepare
from mmkd_video.workflows.train.run_folder import RunFolder


def ablate(
    paths: Sequence[str],
    *,
    baseline: str,
    epochs: int,
    seeds: Sequence[int],
    work_dir: Path,
    metric: str = 'acc/top1',
    command: str = '',
    cfg_options: Mapping | None = None,
    may_prepare: bool = True,
) -> Ablation:
    """Train every config, the baseline and the student alone at one budget, and write the table into the work dir.

    What all share is made once; finished runs are kept, an interrupted one is resumed.

    Args:
        paths: Paths of distillation configs that hold the baseline's terms and more.
        baseline: Path of the config that they are compared with.
        epochs: Number of epochs of each training; the learning rate ends with them.
        seeds: Seeds of the runs.
        work_dir: Folder that has one folder for each run.
        metric: Metric that is compared on test.
        command: Command that is kept beside the results.
        cfg_options: Settings that replace those of the configs, by dotted key.
        may_prepare: Whether clips may be rendered and the teacher trained first.

    Raises:
        FileNotFoundError: A config is missing, or something that may not be prepared.
        RuntimeError: A run failed.
        ValueError: A config does not distil, a folder holds a run of another config, or the test has no such metric.
    """
    named = [baseline, *(path for path in paths if path != baseline)]
    configs = {Path(path).stem: read_config(path, cfg_options) for path in named}
    for name, config in configs.items():
        if not is_distillation(config):
            raise WrongValueError(f"{name}: model.type is {config.model.get('type')!r}; expected 'Distiller'")
        shorten(config, epochs)
    shared = configs[Path(baseline).stem]
    prepare(shared, allowed=may_prepare)
    scores = run_all(configs, seeds, work_dir, metric)
    clips = count_clips(shared.train_dataloader.dataset)
    ablation = Ablation(command, Path(baseline).stem, epochs, clips, metric, list(seeds), scores)
    write_atomically(as_text(ablation).encode(), work_dir / 'ablation.md')
    write_atomically(as_yaml(ablation.as_dict()), work_dir / 'ablation.yml')
    return ablation


def as_text(ablation: Ablation) -> str:
    """Return the table of an ablation and its budget.

    Args:
        ablation: Ablation that was measured.
    """
    return f'{ablation.table(ablation.names)}\n\n{ablation.budget()}\n'


def run_all(configs: Mapping[str, Config], seeds: Sequence[int], work_dir: Path, metric: str) -> dict[str, list[float]]:
    """Run what is not finished yet: every config once for a seed before the next seed.

    Args:
        configs: Configs by name, the baseline first; the student alone is derived from it.
        seeds: Seeds of the runs.
        work_dir: Folder that has one folder for each run.
        metric: Metric that is compared.

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
                raise WrongValueError(f'--metric: got {metric!r}; the test measures {", ".join(found) or "nothing"}')
            scores[name].append(found[metric])
            print(f'{name}, seed {seed}: {metric} {found[metric]:.4f}', flush=True)
    return scores


def shorten(config: Config, epochs: int) -> None:
    """Let a training last some epochs, with what ended at its end ending there, and without validation.

    Args:
        config: Config of the training; it is changed.
        epochs: Number of epochs, at least 1.

    Raises:
        ValueError: The config trains by iterations, or ``epochs`` is below 1.
    """
    before = config.train_cfg.get('max_epochs')
    if before is None or epochs < 1:
        raise WrongValueError(
            f'--epochs: got {epochs} for a training of max_epochs={before}; expected epochs, at least 1'
        )
    config.train_cfg.update(max_epochs=epochs, val_begin=epochs + 1)
    schedulers = config.get('param_scheduler') or []
    for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
        if scheduler.get('by_epoch', True) and scheduler.get('end') == before:
            scheduler['end'] = epochs
            if 'T_max' in scheduler:
                scheduler['T_max'] = epochs - scheduler.get('begin', 0)


def as_yaml(content: Mapping) -> bytes:
    """Return a mapping as YAML, in its order."""
    return yaml.safe_dump(dict(content), sort_keys=False, width=120).encode()
