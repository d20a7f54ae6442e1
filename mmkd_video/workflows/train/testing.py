"""A test of a checkpoint or of an exported file, with the config of a distillation or of the plain student."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from mmkd_video.core.files.new import expect_new
from mmkd_video.core.mistakes import MissingFileError, WrongValueError, as_settings_errors
from mmkd_video.datasets.label_check import expect_known_classes
from mmkd_video.evaluation import dumped_results  # noqa: F401  registers WholeDumpResults
from mmkd_video.export import backend_of_file, export_backends, exported_suffixes
from mmkd_video.hooks.model_wrapper import unwrapped_model
from mmkd_video.recognizers.class_names import class_names
from mmkd_video.recognizers.config import merge_cfg_options, read_config
from mmkd_video.recognizers.config_keys import check_config
from mmkd_video.recognizers.plain_student import is_distillation, named_teachers, plain_student
from mmkd_video.recognizers.weights import check_weights
from mmkd_video.workflows.deploy.student import StudentCheckpoint, model_parts
from mmkd_video.workflows.train.prepare import merge_teacher_options
from mmkd_video.workflows.train.training import build_runner, default_work_dir


@dataclass(frozen=True)
class EvaluationSettings:
    """How a checkpoint or an exported file is tested, beside what its config says.

    Attributes:
        backend: Name of what runs it; by the file's name by default.
        threads: CPU threads of an exported file; the runtime's choice by default.
        precision: Precision of an exported file; what it says by default.
        report: File that takes metrics by class and the confusion matrix; None: they are printed only.
        dump: Pickle file that takes all predictions; None: they are not kept.
        work_dir: Folder of logs and metrics; the config's own or one named after it by default.
        show: Whether predictions are shown in a window.
        show_dir: Folder of images with predictions; None: none are written.
        interval: Number of samples of which one is shown.
        wait_time: Seconds that a window stays.
        launcher: Name of what starts ranks, as MMEngine calls it.
        cfg_options: Settings that replace those of the config, by dotted key.
    """

    backend: str | None = None
    threads: int | None = None
    precision: str | None = None
    report: str | None = None
    dump: str | None = None
    work_dir: str | None = None
    show: bool = False
    show_dir: str | None = None
    interval: int = 1
    wait_time: float = 2.0
    launcher: str = 'none'
    cfg_options: Mapping[str, Any] | None = None


AS_THE_CONFIG_SAYS = EvaluationSettings()


def run_test(
    path: str, checkpoint: str, settings: EvaluationSettings = AS_THE_CONFIG_SAYS, *, force: bool = False
) -> dict[str, float]:
    """Read a config, and test a checkpoint or an exported file with it.

    Args:
        path: Path of the config.
        checkpoint: Path or URL of the student's checkpoint, or path of an exported file.
        settings: Settings of the test.
        force: Whether an existing report or dump may be replaced.

    Returns:
        The metrics.

    Raises:
        SettingsError: The config is wrong, which shows before the test runs.
        FileExistsError: A report or dump is there and may not be replaced.
        FileNotFoundError: There is no such config or checkpoint.
        ValueError: A setting does not go with the config, or the checkpoint does not belong to its model.
    """
    with as_settings_errors():
        if not is_here(checkpoint):
            raise MissingFileError(f'checkpoint {checkpoint!r} does not exist')
        for name, file in (('--report', settings.report), ('--dump', settings.dump)):
            expect_new(name, file, force)
        config = merge_settings(read_config(path), checkpoint, settings, path=path)
        trained = read_student(checkpoint)
        fit_student(config, trained)
        check_config(config)
        runner = build_test(config, checkpoint, path=path, trained=trained)
        del trained  # its weights would stay in memory while the model is tested
    with as_settings_errors(until=lambda: not is_exported(checkpoint)):  # an exported file may not take these clips
        return runner.test()


def read_student(checkpoint: str) -> StudentCheckpoint | None:
    """Read the checkpoint that is to be tested; None where it is a URL, or where a runtime runs an exported file.

    Args:
        checkpoint: Path or URL of the checkpoint, or path of an exported file.

    Raises:
        ValueError: It cannot be read.
    """
    if is_exported(checkpoint) or not os.path.isfile(checkpoint):
        return None
    return StudentCheckpoint.read(checkpoint)


def fit_student(config: Config, trained: StudentCheckpoint | None) -> None:
    """Change the config of a test so that it builds the model that the weights fit.

    Args:
        config: Config from :func:`merge_settings`; it is changed.
        trained: The checkpoint, from :func:`read_student`.
    """
    if trained is None:
        return
    trained.fit_config(config)
    hooks = [str(hook.get('type')) for hook in config.get('custom_hooks') or []]
    if trained.quantization is not None and not any('QATHook' in each for each in hooks):
        print('note: this student was trained in int8; without QATHook in the config it is tested in float')


def build_test(config: Config, checkpoint: str, *, path: str, trained: StudentCheckpoint | None = None) -> Runner:
    """Build all that a test needs, so that errors in a config show before it begins.

    Args:
        config: Config from :func:`merge_settings`.
        checkpoint: Path or URL of the checkpoint, or path of an exported file.
        path: Path of the config, for messages.
        trained: The checkpoint, from :func:`read_student`.

    Raises:
        ValueError: The config has no test, or the checkpoint does not belong to its model.
    """
    runner = build_runner(config)
    if runner.test_loop is None:
        raise WrongValueError(
            f'{path} has no test: expected test_dataloader, test_evaluator and test_cfg; they are what '
            "tools/test.py runs (test_cfg = dict(type='TestLoop'))"
        )
    expect_known_classes(runner.test_loop.dataloader.dataset, unwrapped_model(runner))
    if trained is not None:
        check_weights(
            unwrapped_model(runner),
            trained.weights,
            f'{checkpoint} does not belong to {path}',
            'check backbone, depth and num_classes',
            unknown_allowed=True,
        )
    return runner


def merge_settings(
    config: Config, checkpoint: str, settings: EvaluationSettings = AS_THE_CONFIG_SAYS, *, path: str
) -> Config:
    """Merge the settings of one test into a config.

    Validation and test see the student alone, so a distillation whose teacher is not here is tested as the plain
    student.

    Args:
        config: Config as it was read; it may be changed.
        checkpoint: Path or URL of the student's checkpoint, or path of an exported file.
        settings: Settings of the test.
        path: Path of the config.

    Returns:
        The config of the test.

    Raises:
        KeyError: The config has no place for one of ``cfg_options``.
        ValueError: A setting does not go with the config.
    """
    exported = is_exported(checkpoint, settings.backend)
    merge_cfg_options(config, settings.cfg_options)
    if exported:
        if settings.launcher != 'none':
            raise WrongValueError(f'--launcher: got {settings.launcher}; an exported file is tested in one process')
        config = exported_config(
            config,
            checkpoint,
            backend=settings.backend,
            threads=settings.threads,
            precision=settings.precision,
        )
    elif is_distillation(config) and not all(map(is_here, teacher_checkpoints(config))):
        print("the teacher's checkpoint is not here and not needed: testing the student alone")
        config = plain_student(config)
    elif is_distillation(config):
        merge_teacher_options(config)
    config.launcher = settings.launcher
    config.work_dir = default_work_dir(config, settings.work_dir, path)
    config.load_from = None if exported else checkpoint
    add_report(config, settings.report)
    if settings.show or settings.show_dir is not None:
        show_predictions(config, settings)
    if settings.dump is not None:
        dump_predictions(config, settings.dump)
    return config


def is_exported(checkpoint: str, backend: str | None = None) -> bool:
    """Return whether a file is to be tested that a runtime runs.

    Args:
        checkpoint: Path or URL of the file.
        backend: Name of what is to run it; by the file's name by default.

    Raises:
        ValueError: The backend cannot run such a file.
    """
    known = ('pytorch', *export_backends())
    if backend is not None and backend not in known:
        raise WrongValueError(f'--backend: got {backend!r}; expected one of {", ".join(known)}')
    exported = backend_of_file(checkpoint) is not None
    if backend is not None and exported == (backend == 'pytorch'):
        raise WrongValueError(
            f'--backend: got {backend} for {checkpoint!r}; pytorch runs checkpoints, '
            f'{" and ".join(export_backends())} run exported files ({", ".join(exported_suffixes())}), see '
            'tools/export.py'
        )
    return exported


def exported_config(
    config: Config,
    file: str,
    *,
    backend: str | None = None,
    threads: int | None = None,
    precision: str | None = None,
) -> Config:
    """Return a config that tests an exported file in the place of the student.

    Args:
        config: Config of the student, or of its distillation; it is not changed.
        file: Path of the exported file.
        backend: Name of the runtime; by the file's name by default.
        threads: CPU threads; the runtime's choice by default.
        precision: Precision to compute in; what the file says by default.
    """
    plain = plain_student(config)
    architecture, classes = model_parts(plain.model)
    plain['model'] = None  # else the student's keys would be merged in
    plain.model = dict(
        type='ExportedRecognizer',
        path=file,
        backend=backend,
        threads=threads,
        precision=precision,
        num_classes=classes,
        architecture=architecture or None,
    )
    plain.custom_hooks = []  # they are about a model's parameters
    return plain


def add_report(config: Config, out_file: str | None = None) -> None:
    """Make a test report precision, recall, F1 and the confusion matrix too.

    Args:
        config: Config of the test; it is changed.
        out_file: File that takes the report; None: it is printed only.
    """
    metrics = _metrics(config)
    if not metrics or any(each.get('type') == 'ClassificationReport' for each in metrics):
        return
    number = model_parts(plain_student(config).model)[1] or config.model.get('num_classes')
    names = class_names(config, number) if number else None
    report = dict(type='ClassificationReport', classes=names and list(names), out_file=out_file)
    config.test_evaluator = [*metrics, report]


def show_predictions(config: Config, settings: EvaluationSettings) -> None:
    """Make a test show its predictions.

    Args:
        config: Config of the test; it is changed.
        settings: Settings of the display.

    Raises:
        ValueError: The config has no hook that shows anything.
    """
    if 'visualization' not in config.default_hooks:
        raise WrongValueError(
            "--show: the config has no default_hooks.visualization = dict(type='VisualizationHook'); add it"
        )
    config.default_hooks.visualization.update(
        enable=True,
        show=settings.show,
        wait_time=settings.wait_time,
        out_dir=settings.show_dir,
        interval=settings.interval,
    )


def dump_predictions(config: Config, file: str) -> None:
    """Make a test write all predictions.

    Args:
        config: Config of the test; it is changed.
        file: Pickle file to write.

    Raises:
        ValueError: The file's name is not that of a pickle file.
    """
    if not file.endswith(('.pkl', '.pickle')):
        raise WrongValueError(f'--dump: got {file!r}; expected a name that ends in .pkl or .pickle')
    config.test_evaluator = [*_metrics(config), dict(type='WholeDumpResults', out_file_path=file)]


def _metrics(config: Config) -> list[dict]:
    metrics = config.get('test_evaluator') or []
    return list(metrics) if isinstance(metrics, (list, tuple)) else [metrics]


def teacher_checkpoints(config: Config) -> list[str | None]:
    """Return the checkpoint of each single teacher of a distillation."""
    return [each.get('checkpoint') for each in named_teachers(config.model.get('teacher')).values()]


def is_here(checkpoint: str | None) -> bool:
    """Return whether a checkpoint can be read: a file that is there, a URL, or none at all."""
    return checkpoint is None or '://' in checkpoint or os.path.isfile(checkpoint)
