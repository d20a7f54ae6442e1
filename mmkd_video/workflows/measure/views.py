"""What a student of fewer or smaller frames saves beside the same teacher: decoding, training steps, memory, clips."""

import copy
import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import decord
import torch
from torch import nn

from mmkd_video.benchmark import (
    CallCounter,
    LoadWatch,
    Report,
    Row,
    Timings,
    measure_interleaved,
    median_interval,
    paired_ratios,
)
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.complexity import measure_complexity
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.input_form import noise_clip, shallow
from mmkd_video.workflows.measure.default_clips import default_clips
from mmkd_video.workflows.measure.default_pair import default_config
from mmkd_video.workflows.measure.pair import BenchmarkPair
from mmkd_video.workflows.measure.rounds import StepSettings, measured_facts
from mmkd_video.workflows.measure.training_memory import measure_training
from mmkd_video.workflows.shrink.axes import Shrinkable

DISTILLATION = 'all terms'
LOAD, STEP, CLIP = 'loading a sample', 'a training step', "the student's forward pass of a clip"
SHAPE = re.compile(r'([1-9]\d*)x([1-9]\d*)')


def benchmark_views(
    config: str | None = None,
    shapes: Sequence[str] = (),
    *,
    batch_size: int | None = None,
    settings: StepSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Measure one distillation with students that see clips of several shapes; the teacher's stay as they are.

    Args:
        config: Path of a distillation config; None for the default pair on the embedded clips.
        shapes: ``FRAMESxSIZE`` of the student's clips; the first is what the others are compared with. By default the
            config's own, half of its frames, and half of its frames at half of their size.
        batch_size: Number of clips in a batch; the config's by default.
        settings: Numbers of rounds and threads, and the device.
        progress: Function that is called with (rounds done, rounds in all).

    Raises:
        ValueError: A shape is malformed, comes twice, or the student does not run on it.
        RuntimeError: A process that measures memory failed.
    """
    settings = settings or StepSettings()
    with default_clips(batch_size) if config is None else nullcontext('') as clips:
        given = dict(config=config, clips=clips, batch_size=batch_size, features=None)
        chosen = [_parse(text) for text in shapes] or _usual(config, clips)
        if len(set(chosen)) != len(chosen):
            raise WrongValueError(f'--student: got {" ".join(shapes)}; expected each shape once')
        threads = torch.get_num_threads()
        torch.set_num_threads(settings.threads)
        try:
            return _benchmark({_name(shape): dict(given, shape=shape) for shape in chosen}, settings, progress)
        finally:
            torch.set_num_threads(threads)


def _benchmark(given: dict[str, dict], settings: StepSettings, progress: Callable | None) -> Report:
    pairs = {name: BenchmarkPair.load(**each) for name, each in given.items()}
    device = settings.device
    variants, operations, frames = {}, {}, {}
    for name, pair in pairs.items():
        with CallCounter(decord.VideoReader, 'get_batch') as counter:
            batch = pair.batch()
        frames[name] = counter.items / pair.batch_size
        model = pair.distiller(DISTILLATION, device)
        variants[f'{name}, {LOAD}'] = pair.batch
        variants[f'{name}, {STEP}'] = pair.training_step(model, pair.wrap(model), batch)
        alone = pair.plain(device).eval()
        clip = noise_clip(alone, (pair.shape[0], pair.shape[1], pair.shape[1]))
        operations[name] = measure_complexity(copy.deepcopy(alone).cpu(), clip[0])[1]
        variants[f'{name}, {CLIP}'] = _forward(alone, clip.to(device))
    watch = LoadWatch()
    rounds = settings.rounds_until(lambda timings: all(row.narrow for row in _time_rows(timings, pairs, device)))
    timings = measure_interleaved(variants, rounds, watch, device, progress)
    peaks = {
        name: [
            measure_training(dict(pair=each, variant=DISTILLATION, device=device, threads=settings.threads))
            for _ in range(settings.memory_runs)
        ]
        for name, each in given.items()
    }
    first = next(iter(pairs.values()))
    report = Report(f'Clips of the student beside the same teacher, on {device}')
    report.facts |= {
        'student': f'{first.student["backbone"]["type"]}, clips of {", ".join(pairs)} (frames x pixels)',
        'a step': f'batch of {first.batch_size} decoded clips, teacher and all terms of the config included',
    }
    report.facts |= measured_facts(timings, watch, device)
    report.rows += [Row(f'frames decoded per sample, {name}', count, 'count') for name, count in frames.items()]
    report.rows += _time_rows(timings, pairs, device)
    report.rows += _memory_rows(peaks) if settings.memory_runs else []
    known = {name: each for name, each in operations.items() if each is not None}
    report.rows += [Row(f"GFLOPs of the student's clip, {name}", each, 'count') for name, each in known.items()]
    report.raw = dict(seconds={name: vars(each) for name, each in timings.items()}, peak_bytes=peaks)
    return report


def _time_rows(timings: dict[str, Timings], pairs: dict[str, BenchmarkPair], device: str) -> list[Row]:
    """Return the first shape's times, and the ratios of the others to it, round by round."""
    clock = 'wall' if device.startswith('cuda') else 'cpu'  # a GPU's work is not the process's
    rows, (first, *others) = [], pairs
    for what in (LOAD, STEP, CLIP):
        base = getattr(timings[f'{first}, {what}'], clock)
        share = pairs[first].batch_size if what == LOAD else 1
        void = clock == 'wall' and timings[f'{first}, {what}'].disturbed
        median = None if void else median_interval([seconds / share for seconds in base])
        rows.append(Row.of(f'{what}, {first}', 's', median))
        for name in others:
            ratio = None if void else median_interval(paired_ratios(getattr(timings[f'{name}, {what}'], clock), base))
            rows.append(Row.of(f'{what}, {name} / {first}', 'ratio', ratio))
    return rows


def _memory_rows(peaks: dict[str, list[int]]) -> list[Row]:
    found = {name: median_interval(values).median for name, values in peaks.items()}
    first, *others = found
    rows = [Row(f'peak memory of the training, {first}', found[first], 'bytes')]
    return rows + [
        Row(f'peak memory of the training, {name} / {first}', found[name] / found[first], 'ratio') for name in others
    ]


def _forward(model: nn.Module, clip: torch.Tensor) -> Callable[[], object]:
    @torch.no_grad()
    def forward() -> None:
        model.extract_feat(shallow(clip), stage='head')

    return forward


def _parse(text: str) -> tuple[int, int]:
    found = SHAPE.fullmatch(text)
    if found is None:
        raise WrongValueError(f'--student: got {text!r}; expected FRAMESxSIZE, such as 8x112')
    return int(found[1]), int(found[2])


def _usual(config: str | None, clips: str) -> list[tuple[int, int]]:
    own = Shrinkable(default_config(clips) if config is None else read_config(config, None)).shape
    half = max(1, own.frames // 2), max(1, own.size // 2)
    return list(dict.fromkeys([(own.frames, own.size), (half[0], own.size), half]))


def _name(shape: tuple[int, int]) -> str:
    return f'{shape[0]}x{shape[1]}'
