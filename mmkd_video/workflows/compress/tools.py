"""The functions of the stages after training, with the options of the tools that do the same."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.new import expect_new
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.export import ParityReport
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.deploy.export import export_student
from mmkd_video.workflows.deploy.quantize import quantize_student
from mmkd_video.workflows.deploy.quantized_student import MAX_DROP, VALIDATION
from mmkd_video.workflows.measure.deploy import benchmark_deploy
from mmkd_video.workflows.measure.saved import DEPLOY, save_report


def export_file(
    config: str,
    checkpoint: str,
    *,
    format: str,
    out: str,
    precision: str | None = None,
    dynamic_clips: bool = False,
    batch: int | str = 1,
    clips: int = 16,
    no_check: bool = False,
    shape: Sequence[int] | None = None,
    force: bool = False,
) -> None:
    """Do what ``tools/export.py`` does; see :func:`export_student`.

    Raises:
        ValueError: The file does not give what the model gives.
    """
    report = export_student(
        read_config(config),
        checkpoint,
        out,
        format=format,
        precision=precision,
        dynamic_clips=dynamic_clips,
        batch=None if batch == 'dynamic' else batch,
        num_clips=clips,
        shape=shape,
        check=not no_check,
        force=force,
    )
    print('not checked against PyTorch (no_check)' if report is None else report)
    _expect_parity(report)


def quantize_file(
    config: str,
    source: str,
    *,
    out: str,
    calibration: int = 300,
    validation: int = VALIDATION,
    max_drop: float = MAX_DROP,
    preset: str = 'mixed',
    clips: int = 16,
    no_check: bool = False,
    force: bool = False,
) -> None:
    """Do what ``tools/quantize.py`` does; see :func:`quantize_student`.

    Raises:
        ValueError: The file does not give what the model gives.
    """
    found = quantize_student(
        read_config(config),
        source,
        out,
        calibration=calibration,
        validation=validation,
        max_drop=max_drop,
        preset=preset,
        num_clips=clips,
        check=not no_check,
        force=force,
    )
    print(found)
    _expect_parity(found.report)


def measure_models(
    *,
    table: Path,
    command: str,
    model: Sequence[tuple[str, str, str]],
    out: str,
    picture: str,
    file: Sequence[tuple[str, str, str]] = (),
    no_memory: bool = False,
    force: bool = False,
    **options: Any,
) -> None:
    """Do what ``tools/benchmark.py deploy`` does, and write its table too.

    Args:
        table: Place of the table, as text.
        command: Command line that measures the same again.
        model: Name, config and checkpoint of each trained recognizer.
        out: Place of all numbers, as JSON.
        picture: Place of the picture; none is drawn where no line has both an accuracy and a latency.
        file: Name, name of the model whose clips it takes, and path of each exported file.
        no_memory: Whether memory is left out.
        force: Whether existing files may be replaced.
        **options: Further keywords of :func:`benchmark_deploy`.

    Raises:
        FileExistsError: A file exists.
    """
    expect_new('--out', out, force)
    expect_new('--picture', picture, force)
    report = benchmark_deploy(model, files=file, memory=not no_memory, picture=picture, **options)
    save_report(report, out, DEPLOY, command)
    if all(None in (each.accuracy, each.latency) for each in report.deployments):
        Path(picture).unlink(missing_ok=True)  # of an earlier measurement
    print(report.as_text())
    write_atomically((report.as_text() + '\n').encode(), table)


def _expect_parity(report: ParityReport | None) -> None:
    if report is not None and not report.passed:
        raise WrongValueError(report.failure)
