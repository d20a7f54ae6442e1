"""The stages of a compression after training: export, quantize, measure."""

import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mmkd_video.export import export_backends, int8_backends
from mmkd_video.workflows.compare.arms import ALONE, DISTILLED
from mmkd_video.workflows.compress.stage import Stage, as_arguments
from mmkd_video.workflows.compress.tools import export_file, measure_models, quantize_file
from mmkd_video.workflows.compress.work import CompressionWork, Model

INT8 = 'student int8'
SEVERAL = ('runtimes', 'threads', 'int8')  # options of the measurement that may be given as one value too
TABLE, PICTURE = 'table.txt', 'deploy.png'


def stages(work: CompressionWork) -> list[Stage]:
    """Return the stages after training, in their order.

    A student that was trained in int8 is exported in float too, and quantized from its checkpoint, which holds the
    ranges that it was trained with.

    Args:
        work: The compression, with all models that are trained.
    """
    found = export_stages(work)
    if work.settings.get('quantize') is not None:
        found.append(quantize_stage(work))
    return [*found, measure_stage(work)]


def export_stages(work: CompressionWork) -> list[Stage]:
    """Return a stage for each registered backend.

    Args:
        work: The compression.
    """
    _, config, checkpoint = work.final
    precision = dict(precision='f32') if work.final_is_in_int8() else {}
    found = []
    for backend in export_backends().values():
        target = work.work_dir / f'student{backend.written[0]}'
        options = {**precision, **(work.settings.get('export') or {})}
        found.append(
            Stage(
                f'export_{backend.format}',
                'tools/export.py',
                export_file,
                [config, checkpoint],
                dict(format=backend.format, out=str(target), **options),
                [Path(checkpoint), *_written(work, [work.final])],
                backend.files(target),
            )
        )
    return found


def quantize_stage(work: CompressionWork) -> Stage:
    """Return the stage that writes the int8 file.

    Args:
        work: The compression.
    """
    _, config, checkpoint = work.final
    backend = int8_backends()[0]
    source = Path(checkpoint) if work.final_is_in_int8() else work.work_dir / f'student{backend.written[0]}'
    target = _int8_file(work)
    return Stage(
        'quantize',
        'tools/quantize.py',
        quantize_file,
        [config, str(source)],
        dict(out=str(target), **work.settings['quantize']),
        [source, *_written(work, [work.final])],
        backend.files(target),
    )


def measure_stage(work: CompressionWork) -> Stage:
    """Return the stage that measures all models, in all runtimes.

    Args:
        work: The compression.
    """
    quantize, files = work.settings.get('quantize'), {}
    if quantize is not None:
        files = dict(file=[(INT8, work.final[0], str(_int8_file(work)))], int8=[work.models[0][0]])
        if 'calibration' in quantize:
            files['calibration'] = quantize['calibration']
    out, table, picture = (work.work_dir / name for name in ('deploy.json', TABLE, PICTURE))
    settings = dict(model=list(work.models), **files, reference=DISTILLED, out=str(out), picture=str(picture))
    inputs = [Path(checkpoint) for _, _, checkpoint in work.models]
    inputs += [_int8_file(work)] if quantize is not None else []
    for key, value in (work.settings.get('benchmark') or {}).items():
        if value is not None:
            settings[key] = [value] if key in SEVERAL and not isinstance(value, (list, tuple)) else value
    tool = 'tools/benchmark.py deploy'
    command = shlex.join(['python', *tool.split(), *as_arguments(settings)])
    return Stage(
        'benchmark',
        tool,
        partial(measure_models, table=table, command=command),
        [],
        settings,
        [*inputs, *_written(work, work.models)],
        [out, table],
        [picture],
    )


def _int8_file(work: CompressionWork) -> Path:
    return work.work_dir / f'student_int8{int8_backends()[0].written[0]}'


def _written(work: CompressionWork, models: Sequence[Model]) -> list[Path]:
    """Return the configs that were written because the command line changed them; a pruned one follows its weights."""
    return [Path(path) for name, path, _ in models if name in (ALONE, DISTILLED) and path != str(work.config.filename)]
