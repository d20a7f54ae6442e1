"""The code behind ``tools/test.py``: MMAction2's arguments, for checkpoints and for exported files."""

import argparse
import os
from collections.abc import Sequence

from mmengine.config import Config
from mmengine.runner import Runner

import mmkd_video  # noqa: F401  the stack must be mended before a runner is built
from mmkd_video.cli.arguments import checked_numbers
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.interrupts import told_when_ended
from mmkd_video.cli.mistakes import EXITS, told_in_one_line
from mmkd_video.cli.train import add_launcher, build_runner, default_work_dir
from mmkd_video.core.files.new import expect_new
from mmkd_video.datasets.label_check import expect_known_classes
from mmkd_video.evaluation import dumped_results  # noqa: F401  registers WholeDumpResults
from mmkd_video.export.loading import backend_of_file, export_backends, exported_suffixes
from mmkd_video.export.metadata import PRECISIONS
from mmkd_video.hooks.model_wrapper import bare_model
from mmkd_video.recognizers.class_names import class_names
from mmkd_video.recognizers.config import merge_cfg_options, read_config
from mmkd_video.recognizers.config_keys import check_config
from mmkd_video.recognizers.plain_student import is_distillation, plain_student
from mmkd_video.recognizers.weights import check_weights
from mmkd_video.workflows.deploy.student import StudentCheckpoint, model_parts
from mmkd_video.workflows.train.prepare import merge_teacher_options


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Test as the command line says.

    Returns:
        The metrics.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    os.environ.setdefault('LOCAL_RANK', str(options.local_rank))
    with told_when_ended(parser), told_in_one_line(parser, building=lambda: True):
        if not _is_here(options.checkpoint):
            raise FileNotFoundError(f'checkpoint {options.checkpoint!r} does not exist')
        for name in ('report', 'dump'):
            expect_new(f'--{name}', getattr(options, name), options.force)
        config = read_config(options.config)  # it may import a backend or a compression
        trained = read_student(options)
        config = merge_options(config, options, trained)
        check_config(config)
        runner = prepare_test(config, options, trained)
    with told_when_ended(parser), told_in_one_line(parser, building=lambda: is_exported(options)):
        return runner.test()  # the file may not take these clips


def read_student(options: argparse.Namespace) -> StudentCheckpoint | None:
    """Read the checkpoint that is to be tested; None where it is a URL, or where a runtime runs an exported file.

    Args:
        options: Of :func:`build_parser`.

    Raises:
        ValueError: It cannot be read, or the backend cannot run such a file.
    """
    if is_exported(options) or not os.path.isfile(options.checkpoint):
        return None
    return StudentCheckpoint.read(options.checkpoint)


def prepare_test(config: Config, options: argparse.Namespace, trained: StudentCheckpoint | None = None) -> Runner:
    """Build all that a test needs, so that mistakes in a config show before it begins.

    Args:
        config: From :func:`merge_options`.
        options: Of :func:`build_parser`.
        trained: From :func:`read_student`.

    Raises:
        ValueError: The config has no test, or the checkpoint does not belong to its model.
    """
    runner = build_runner(config)
    if runner.test_loop is None:
        raise ValueError(
            f'{options.config} has no test: expected test_dataloader, test_evaluator and test_cfg; they are what '
            "tools/test.py runs (test_cfg = dict(type='TestLoop'))"
        )
    expect_known_classes(runner.test_loop.dataloader.dataset, bare_model(runner))
    if trained is not None:
        check_weights(
            bare_model(runner),
            trained.weights,
            f'{options.checkpoint} does not belong to {options.config}',
            'check backbone, depth and num_classes',
            unknown_allowed=True,
        )
    return runner


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog='test.py',
        description='Test a checkpoint, or an exported file, with a distillation or a plain config.',
        epilog=EXITS,
    )
    parser.add_argument('config', help='a distillation config, or the plain student config')
    parser.add_argument('checkpoint', help='of the student; or a file that tools/export.py wrote, .onnx or .xml')
    parser.add_argument(
        '--backend',
        metavar='RUNTIME',
        help=f'{", ".join(["pytorch", *export_backends()])}: what runs it; by the name of the file by default',
    )
    parser.add_argument('--threads', type=int, help="CPU threads of an exported file; the runtime's choice by default")
    parser.add_argument('--precision', choices=PRECISIONS, help='of an exported file; what it says by default')
    parser.add_argument('--report', metavar='FILE.json', help='write metrics by class and the confusion matrix')
    parser.add_argument('--force', action='store_true', help='replace an existing --report or --dump')
    parser.add_argument('--work-dir', help="for logs and metrics; work_dirs/<config's name> by default")
    parser.add_argument('--dump', metavar='FILE.pkl', help='write all predictions into a pickle file')
    parser.add_argument('--show-dir', help='write images with predictions into this folder')
    parser.add_argument('--show', action='store_true', help='show predictions in a window')
    parser.add_argument('--interval', type=int, default=1, help='show every n-th sample')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds a window stays')
    add_cfg_options(parser)
    add_launcher(parser)
    return checked_numbers(parser)


def merge_options(config: Config, options: argparse.Namespace, trained: StudentCheckpoint | None = None) -> Config:
    """Merge the command line into a config.

    Validation and test see the student alone, so a distillation whose teacher is not here is tested as the plain
    student.

    Args:
        config: As read.
        options: Of :func:`build_parser`.
        trained: From :func:`read_student`.

    Raises:
        ValueError: An argument does not go with the config.
    """
    if options.cfg_options:
        merge_cfg_options(config, options.cfg_options)
    if is_exported(options):
        config = exported_config(config, options)
    elif is_distillation(config) and not all(map(_is_here, _checkpoints(config))):
        print("the teacher's checkpoint is not here and not needed: testing the student alone")
        config = plain_student(config)
    elif is_distillation(config):
        merge_teacher_options(config)
    config.launcher = options.launcher
    config.work_dir = default_work_dir(config, options.work_dir, options.config)
    config.load_from = None if is_exported(options) else options.checkpoint
    if trained is not None:
        trained.fit_config(config)
        hooks = [str(hook.get('type')) for hook in config.get('custom_hooks') or []]
        if trained.quantization is not None and not any('QATHook' in each for each in hooks):
            print('note: this student was trained in int8; without QATHook in the config it is tested in float')
    add_report(config, options)
    if options.show or options.show_dir is not None:
        _show(config, options)
    if options.dump is not None:
        if not options.dump.endswith(('.pkl', '.pickle')):
            raise ValueError(f'--dump: got {options.dump!r}; expected a name that ends in .pkl or .pickle')
        config.test_evaluator = [*_metrics(config), dict(type='WholeDumpResults', out_file_path=options.dump)]
    return config


def is_exported(options: argparse.Namespace) -> bool:
    """Return whether a file is to be tested that a runtime runs.

    Args:
        options: Of :func:`build_parser`.

    Raises:
        ValueError: The backend cannot run such a file.
    """
    exported = backend_of_file(options.checkpoint) is not None
    if options.backend is not None and exported == (options.backend == 'pytorch'):
        raise ValueError(
            f'--backend: got {options.backend} for {options.checkpoint!r}; pytorch runs checkpoints, '
            f'{" and ".join(export_backends())} run exported files ({", ".join(exported_suffixes())}), see '
            'tools/export.py'
        )
    return exported


def exported_config(config: Config, options: argparse.Namespace) -> Config:
    """Return a config that tests an exported file in the place of the student.

    Args:
        config: Of the student, or of its distillation; it is not changed.
        options: Of :func:`build_parser`.

    Raises:
        ValueError: The launcher starts several processes.
    """
    if options.launcher != 'none':
        raise ValueError(f'--launcher: got {options.launcher}; an exported file is tested in one process')
    plain = plain_student(config)
    architecture, classes = model_parts(plain.model)
    plain['model'] = None  # else the student's keys would be merged in
    plain.model = dict(
        type='ExportedRecognizer',
        path=options.checkpoint,
        backend=options.backend,
        threads=options.threads,
        precision=options.precision,
        num_classes=classes,
        architecture=architecture or None,
    )
    plain.custom_hooks = []  # they are about a model's parameters
    return plain


def add_report(config: Config, options: argparse.Namespace) -> None:
    """Let a test report precision, recall, F1 and the confusion matrix too.

    Args:
        config: It is changed.
        options: Of :func:`build_parser`.
    """
    metrics = _metrics(config)
    if not metrics or any(each.get('type') == 'ClassificationReport' for each in metrics):
        return
    number = model_parts(plain_student(config).model)[1] or config.model.get('num_classes')
    names = class_names(config, number) if number else None
    report = dict(type='ClassificationReport', classes=names and list(names), out_file=options.report)
    config.test_evaluator = [*metrics, report]


def _metrics(config: Config) -> list[dict]:
    metrics = config.get('test_evaluator') or []
    return list(metrics) if isinstance(metrics, (list, tuple)) else [metrics]


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
