"""What a training step costs with frozen layers, beside one that trains all of them."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import nn

from mmkd_video.benchmark import LoadWatch, Report, Row, measure_interleaved
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.hooks.freeze_hook import freeze
from mmkd_video.recognizers.layer_order import usual_layers
from mmkd_video.workflows.measure.default_clips import default_clips
from mmkd_video.workflows.measure.pair import FEATURES, BenchmarkPair
from mmkd_video.workflows.measure.rounds import StepSettings, measured_facts
from mmkd_video.workflows.measure.teachers import memory_rows, time_rows
from mmkd_video.workflows.measure.training_memory import PLAIN, measure_training

CONFIG = 'configs/distill/i3d_to_mobilenet.py'
ALL = 'all trained'


def benchmark_frozen(
    config: str = CONFIG,
    *,
    freezes: Sequence[str] = (),
    distilled: bool = False,
    batch_size: int = 8,
    settings: StepSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Measure the steps of a student with some of its layers frozen.

    Args:
        config: Path of a distillation config; the shipped ones on the embedded clips find these by themselves.
        freezes: Settings to measure, each the ``modules`` of a ``FreezeHook``, joined by commas; by default half of the
            backbone's layers, and the whole backbone.
        distilled: Whether the steps are those of the distillation, else of the student alone.
        batch_size: Number of clips in a batch.
        settings: Numbers of rounds and threads, and the device.
        progress: Function that is called with (rounds done, rounds in all).

    Raises:
        KeyError: There is no such module.
        ValueError: The config is no distillation, or two settings are the same.
        RuntimeError: A process that measures memory failed.
    """
    settings = settings or StepSettings()
    if len(set(freezes)) < len(freezes):
        raise WrongValueError(f'--freeze: got {", ".join(freezes)}; expected each setting once')
    threads = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        with default_clips() if Path(config) == Path(CONFIG) else nullcontext('') as clips:
            job = dict(config=config, clips=clips, batch_size=batch_size, features=None)
            return _benchmark(job, list(freezes), distilled, settings, progress)
    finally:
        torch.set_num_threads(threads)


def _benchmark(
    job: dict,
    freezes: list[str],
    distilled: bool,
    settings: StepSettings,
    progress: Callable[[int, int], None] | None,
) -> Report:
    pair, device = BenchmarkPair.load(**job), settings.device
    layers = usual_layers(pair.plain())
    freezes = freezes or [','.join(layers[: len(layers) // 2]), 'backbone']
    patterns = {ALL: [], **{f'{text} frozen': text.split(',') for text in freezes}}
    steps, counts, batch = {}, {}, pair.batch(views=distilled)
    for name, frozen in patterns.items():
        model = pair.distiller(FEATURES, device) if distilled else pair.plain(device)
        wrapper = pair.wrap(model)
        freeze(student_of(model), frozen)
        counts[name] = sum(each.numel() for each in student_of(model).parameters() if each.requires_grad)
        steps[name] = pair.training_step(model, wrapper, batch)
    clock, watch = 'wall' if settings.on_gpu else 'cpu', LoadWatch()
    rounds = settings.rounds_until(lambda timings: all(row.narrow for row in time_rows(timings, ALL, clock)))
    timings = measure_interleaved(steps, rounds, watch, device, progress)
    peaks = {}
    for name in steps if settings.memory_runs else ():
        variant = FEATURES if distilled else PLAIN
        each = dict(pair=job, device=device, threads=settings.threads, variant=variant, frozen=patterns[name])
        peaks[name] = [measure_training(each) for _ in range(settings.memory_runs)]
    report = Report(f'A training step with frozen layers, on {device}')
    report.facts |= {
        'student': f'{pair.student["backbone"]["type"]}, {"distilled" if distilled else "alone"}',
        'parameters': f'{counts[ALL]:,}',
        'a step': f'batch of {pair.batch_size} decoded clips, {settings.threads} thread(s)',
    }
    report.facts |= measured_facts(timings, watch, device)
    report.rows += [
        Row(f'trained parameters, {name} / {ALL}', count / counts[ALL], 'ratio')
        for name, count in counts.items()
        if name != ALL
    ]
    report.rows += time_rows(timings, ALL, clock) + memory_rows(peaks, ALL)
    report.raw = dict(seconds={name: vars(each) for name, each in timings.items()}, peak_bytes=peaks, trained=counts)
    return report


def student_of(model: nn.Module) -> nn.Module:
    """Return the student of a distillation, or the recognizer itself.

    Args:
        model: Distiller or recognizer.
    """
    return getattr(model, 'student', model)
