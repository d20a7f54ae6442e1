"""The code behind ``tools/test.py``: MMAction2's arguments."""

import argparse
import os
from collections.abc import Sequence

from mmengine.config import Config

import mmkd_video  # noqa: F401  the stack must be mended before a runner is built
from mmkd_video.cli.cfg_options import add_cfg_options, read_config
from mmkd_video.cli.plain_student import is_distillation, plain_student
from mmkd_video.cli.prepare import merge_teacher_options
from mmkd_video.cli.train import add_launcher, build_runner, default_work_dir


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Test as the command line says.

    Returns:
        The metrics.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    os.environ.setdefault('LOCAL_RANK', str(options.local_rank))
    try:
        config = merge_options(read_config(options.config), options)
        if not os.path.isfile(options.checkpoint) and '://' not in options.checkpoint:
            raise FileNotFoundError(f'checkpoint {options.checkpoint!r} does not exist')
    except (OSError, KeyError, ValueError) as error:
        parser.exit(1, f'error: {error}\n')
    return build_runner(config).test()


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog='test.py', description='Test a checkpoint with a distillation or a plain config.'
    )
    parser.add_argument('config', help='a distillation config, or the plain student config')
    parser.add_argument('checkpoint', help='of the student')
    parser.add_argument('--work-dir', help="for logs and metrics; work_dirs/<config's name> by default")
    parser.add_argument('--dump', metavar='FILE.pkl', help='write all predictions into a pickle file')
    parser.add_argument('--show-dir', help='write images with predictions into this folder')
    parser.add_argument('--show', action='store_true', help='show predictions in a window')
    parser.add_argument('--interval', type=int, default=1, help='show every n-th sample')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds a window stays')
    add_cfg_options(parser)
    add_launcher(parser)
    return parser


def merge_options(config: Config, options: argparse.Namespace) -> Config:
    """Merge the command line into a config.

    Validation and test see the student alone, so a distillation whose teacher is not here is tested as the plain
    student.

    Args:
        config: As read.
        options: Of :func:`build_parser`.

    Raises:
        ValueError: An argument does not go with the config.
    """
    if options.cfg_options:
        config.merge_from_dict(options.cfg_options)
    if is_distillation(config) and not all(map(_is_here, _checkpoints(config))):
        print("the teacher's checkpoint is not here and not needed: testing the student alone")
        config = plain_student(config)
    elif is_distillation(config):
        merge_teacher_options(config)
    config.launcher = options.launcher
    config.work_dir = default_work_dir(config, options.work_dir, options.config)
    config.load_from = options.checkpoint
    if options.show or options.show_dir is not None:
        _show(config, options)
    if options.dump is not None:
        if not options.dump.endswith(('.pkl', '.pickle')):
            raise ValueError(f'--dump: got {options.dump!r}; expected a name that ends in .pkl or .pickle')
        metrics = config.test_evaluator
        metrics = list(metrics) if isinstance(metrics, (list, tuple)) else [metrics]
        config.test_evaluator = [*metrics, dict(type='DumpResults', out_file_path=options.dump)]
    return config


def _show(config: Config, options: argparse.Namespace) -> None:
    if 'visualization' not in config.default_hooks:
        raise ValueError(
            "--show: the config has no default_hooks.visualization = dict(type='VisualizationHook'); add it"
        )
    config.default_hooks.visualization.update(
        enable=True,
        show=options.show,
        wait_time=options.wait_time,
        out_dir=options.show_dir,
        interval=options.interval,
    )


def _checkpoints(config: Config) -> list[str | None]:
    teacher = config.model.get('teacher') or {}
    return [each.get('checkpoint') for each in ([teacher] if 'config' in teacher else teacher.values())]


def _is_here(checkpoint: str | None) -> bool:
    return checkpoint is None or '://' in checkpoint or os.path.isfile(checkpoint)


if __name__ == '__main__':
    main()
