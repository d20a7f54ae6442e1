"""The code behind ``tools/compare.py``: teacher, student alone and student distilled, with nothing else different."""

import argparse
import json
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

import mmkd_video  # noqa: F401  the stack must be mended before a config with custom imports is read
from mmkd_video.cli.cfg_options import add_cfg_options, read_config
from mmkd_video.cli.comparison import Comparison, Row
from mmkd_video.cli.plain_student import is_distillation, plain_student
from mmkd_video.cli.prepare import prepare
from mmkd_video.cli.run_folder import RunFolder
from mmkd_video.hooks.atomic_file import write_atomically
from mmkd_video.teachers.source import resolve_config

ALONE, DISTILLED = 'student alone', 'student distilled'


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is not finished yet, print the table and save it."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        config = read_config(options.config, options.cfg_options)
        if not is_distillation(config):
            raise ValueError(f"{options.config}: model.type is {config.model.get('type')!r}; expected 'Distiller'")
        work_dir = Path(options.work_dir or Path('work_dirs', 'compare', Path(options.config).stem))
        prepare(config, allowed=not options.no_prepare)
        command = shlex.join(['python', 'tools/compare.py', *(sys.argv[1:] if arguments is None else arguments)])
        comparison = compare(config, options.seeds, work_dir, options.metric, command)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        parser.exit(1, f'error: {error.args[0] if isinstance(error, KeyError) else error}\n')
    except KeyboardInterrupt:
        parser.exit(130, '\ninterrupted; the same command goes on from here\n')
    save(comparison, work_dir)
    print(f'\n{comparison.as_text()}\n\nsaved in {work_dir}: compare.txt, compare.md, compare.json')


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog='compare.py',
        description='Compare teacher, student alone and student distilled: same steps, augmentation and learning rate; '
        'the last checkpoint is scored on test. Finished runs are kept, an interrupted one is resumed.',
    )
    parser.add_argument('config', help='a distillation config')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0], help='one run alone and one distilled for each')
    parser.add_argument('--work-dir', help="work_dirs/compare/<config's name> by default")
    parser.add_argument('--metric', help="compared on test; acc/top1 by default, or the test's first one")
    parser.add_argument('--no-prepare', action='store_true', help='neither render clips nor train the teacher first')
    add_cfg_options(parser)
    return parser


def compare(
    config: Config, seeds: Sequence[int], work_dir: Path, metric: str | None = None, command: str = ''
) -> Comparison:
    """Run what is not finished yet.

    Args:
        config: The distillation config; what it needs is there.
        seeds: Of the runs.
        work_dir: Has one folder for each run.
        metric: What is compared; see ``--metric``.
        command: Kept beside the results.

    Returns:
        The comparison.

    Raises:
        ValueError: A folder holds a run of another config, or the test has no such metric.
        RuntimeError: A run failed.
    """
    jobs = [(name, None, RunFolder(work_dir / re.sub(r'\W+', '_', name), *job)) for name, job in _teachers(config)]
    for seed in dict.fromkeys(seeds):
        for name, base in ((ALONE, plain_student(config)), (DISTILLED, config)):
            run = Config(base.to_dict(), filename=base.filename)
            run.prepare = None
            run.randomness = dict(dict(run.get('randomness') or {}), seed=seed)
            jobs.append((name, seed, RunFolder(work_dir / re.sub(r'\W+', '_', name) / f'seed{seed}', run)))
    rows: dict[str, Row] = {}
    for index, (name, seed, folder) in enumerate(jobs, 1):
        title = name if seed is None else f'{name}, seed {seed}'
        print(f'[{index}/{len(jobs)}] {title}: {folder.path}', flush=True)
        result = folder.result()
        key, value = _pick(result['metrics'], metric)
        print(f'[{index}/{len(jobs)}] {title}: {key} {value:.4f}', flush=True)
        row = rows.setdefault(name, Row(name, result['params'], result['gflops'], key))
        row.add(seed, value, result['seconds'])
    return Comparison(config.filename or '', command, list(rows.values()))


def save(comparison: Comparison, work_dir: Path) -> None:
    """Write the table as text, as markdown, and all numbers as JSON."""
    write_atomically((comparison.as_text() + '\n').encode(), work_dir / 'compare.txt')
    write_atomically((comparison.as_markdown() + '\n').encode(), work_dir / 'compare.md')
    write_atomically((json.dumps(comparison.as_dict(), indent=1) + '\n').encode(), work_dir / 'compare.json')


def _teachers(config: Config) -> list[tuple[str, tuple[Config, Path]]]:
    """Return name, plain config and checkpoint of every teacher that can be tested by itself."""
    teachers = config.model.get('teacher') or {}
    teachers = {'': teachers} if 'config' in teachers else teachers
    found = []
    for name, teacher in teachers.items():
        title = f'teacher {name}'.strip()
        whole = resolve_config(teacher.get('config'))[1] if teacher.get('config') is not None else None
        if whole is None or whole.get('test_dataloader') is None or not teacher.get('checkpoint'):
            print(f'{title}: not tested, it has no test configuration or no checkpoint of its own')
            continue
        found.append((title, (whole, Path(teacher['checkpoint']))))
    return found


def _pick(metrics: dict[str, float], wanted: str | None) -> tuple[str, float]:
    key = wanted or ('acc/top1' if 'acc/top1' in metrics else next(iter(metrics), None))
    if key not in metrics:
        raise ValueError(f'--metric: got {key!r}; the test measures {", ".join(metrics) or "nothing"}')
    return key, metrics[key]


if __name__ == '__main__':
    main()
