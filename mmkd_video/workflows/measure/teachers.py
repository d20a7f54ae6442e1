"""What a training step costs with each kind of teacher, beside a student alone and one with a frozen teacher."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from mmkd_video.benchmark import (
    LoadWatch,
    Report,
    Row,
    Timings,
    measure_interleaved,
    median_interval,
    paired_ratios,
)
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.config import shipped_configs
from mmkd_video.workflows.measure.default_clips import default_clips
from mmkd_video.workflows.measure.pair import FEATURES, BenchmarkPair
from mmkd_video.workflows.measure.rounds import StepSettings, measured_facts
from mmkd_video.workflows.measure.training_memory import PLAIN, measure_training

BASELINE = 'configs/distill/i3d_to_mobilenet.py'
FOLDERS = ('ensemble', 'ema', 'peers', 'self')
ALONE = 'student alone'


def benchmark_teachers(
    configs: Sequence[str] = (),
    *,
    baseline: str = BASELINE,
    batch_size: int = 8,
    settings: StepSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Measure the steps of distillations of one student with other teachers.

    Args:
        configs: Paths of the configs; by default the shipped ones of ensembles, moving averages, peers and exits, on
            the embedded clips.
        baseline: Path of the config that they are compared with.
        batch_size: Number of clips in a batch.
        settings: Numbers of rounds and threads, and the device.
        progress: Function that is called with (rounds done, rounds in all).

    Raises:
        ValueError: A config is no distillation, or of another student than the baseline, or two have one name.
        RuntimeError: A process that measures memory failed.
    """
    settings = settings or StepSettings()
    shipped = [path for folder in FOLDERS for path in shipped_configs(folder)]
    paths = [baseline, *(configs or shipped)]
    names = [Path(path).stem if Path(path).parent.name == 'distill' else _short(path) for path in paths]
    if len(set(names)) < len(names):
        raise WrongValueError(f'configs: got {", ".join(names)}; expected each name once')
    threads = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        with nullcontext('') if configs else default_clips() as clips:
            given = dict(clips=clips, batch_size=batch_size, features=None)
            jobs = {name: dict(given, config=path) for name, path in zip(names, paths, strict=True)}
            return _benchmark(jobs, names[0], settings, progress)
    finally:
        torch.set_num_threads(threads)


def _benchmark(
    jobs: Mapping[str, dict], baseline: str, settings: StepSettings, progress: Callable[[int, int], None] | None
) -> Report:
    pairs = {name: BenchmarkPair.load(**job) for name, job in jobs.items()}
    first, device = pairs[baseline], settings.device
    for name, pair in pairs.items():
        if pair.student != first.student:
            raise WrongValueError(f'{name}: its student is not that of {baseline}; expected one student for all')
    plain = first.plain(device)
    steps = {ALONE: first.training_step(plain, first.wrap(plain), first.batch(views=False))}
    for name, pair in pairs.items():
        model = pair.distiller(FEATURES, device)
        steps[name] = pair.training_step(model, pair.wrap(model), pair.batch())
    clock, watch = 'wall' if settings.on_gpu else 'cpu', LoadWatch()
    rounds = settings.rounds_until(lambda timings: all(row.narrow for row in time_rows(timings, baseline, clock)))
    timings = measure_interleaved(steps, rounds, watch, device, progress)
    peaks = {}
    for name in steps if settings.memory_runs else ():
        job = dict(pair=jobs.get(name, jobs[baseline]), device=device, threads=settings.threads)
        variant = PLAIN if name == ALONE else FEATURES
        peaks[name] = [measure_training(dict(job, variant=variant)) for _ in range(settings.memory_runs)]
    report = Report(f'A training step with other teachers, on {device}')
    report.facts |= {
        'student': f'{first.student["backbone"]["type"]}, the same for all',
        'a step': f'batch of {first.batch_size} decoded clips, {settings.threads} thread(s), with views of teachers',
    }
    report.facts |= measured_facts(timings, watch, device)
    report.rows += time_rows(timings, baseline, clock) + memory_rows(peaks, baseline)
    report.raw = dict(seconds={name: vars(each) for name, each in timings.items()}, peak_bytes=peaks)
    return report


def time_rows(timings: Mapping[str, Timings], baseline: str, clock: str) -> list[Row]:
    """Return the time of the baseline's step, and the ratios of all others to it, round by round.

    Args:
        timings: Timings by name.
        baseline: Name of the config that the others are compared with.
        clock: ``'cpu'`` or ``'wall'``; wall times beside other load are left out.
    """
    void = clock == 'wall' and any(each.disturbed for each in timings.values())
    base = getattr(timings[baseline], clock)
    rows = [Row.of(f'a step, {baseline}', 's', None if void else median_interval(base))]
    for name, each in timings.items():
        if name != baseline:
            ratio = None if void else median_interval(paired_ratios(getattr(each, clock), base))
            rows.append(Row.of(f'a step, {name} / {baseline}', 'ratio', ratio))
    return rows


def memory_rows(peaks: Mapping[str, Sequence[int]], baseline: str) -> list[Row]:
    """Return the peak memory of the baseline's training, and what the others have above it.

    Args:
        peaks: Bytes by name, one number for each process; empty where memory was not measured.
        baseline: Name of the config that the others are compared with.
    """
    found = {name: median_interval(values).median for name, values in peaks.items()}
    if not found:
        return []
    others = [name for name in found if name != baseline]
    return [Row(f'peak memory, {baseline}', found[baseline], 'bytes')] + [
        Row(f'peak memory, {name} - {baseline}', found[name] - found[baseline], 'bytes') for name in others
    ]


def _short(path: str) -> str:
    return f'{Path(path).parent.name}/{Path(path).stem}'
