"""The measurements of a deployment benchmark: every model in every runtime, side by side, and by itself."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median

import numpy as np
import torch

from mmkd_video.benchmark import (
    Deployment,
    LoadWatch,
    Rounds,
    Row,
    SideBySide,
    Timings,
    measure_interleaved,
    median_interval,
    paired_ratios,
)
from mmkd_video.benchmark.load_watch import unsteady
from mmkd_video.recognizers.real_clips import RealClips
from mmkd_video.workflows.measure.deploy_candidates import Classify
from mmkd_video.workflows.measure.deploy_models import Line, MeasuredModels
from mmkd_video.workflows.measure.deploy_runtimes import COMPILE, EAGER
from mmkd_video.workflows.measure.deploy_settings import DeploySettings
from mmkd_video.workflows.measure.deployment_memory import measure_deployment, measure_file

CLIPS_PER_CALLER = 20  # where several work side by side; fewer where one clip takes long
UNTIMED_CALLS = 10  # before a measured one, clip by clip: with one, a small model still ran at half its speed
RECOMPILE_LIMIT = 1000  # the models share their code, which is compiled for each of them


def measure_lines(
    settings: DeploySettings,
    threads: int,
    models: MeasuredModels,
    data: Mapping[str, RealClips],
    watch: LoadWatch,
    known: Sequence[Deployment],
) -> list[Deployment]:
    """Measure everything with one number of threads.

    Args:
        settings: Numbers of rounds, clips and threads.
        threads: Number of CPU threads.
        models: Models to measure.
        data: Clips by model.
        watch: Watch for other load, which keeps what it saw.
        known: Lines that were measured before; what does not depend on the number of threads is taken from these.
    """
    sources, timed, calls = models.sources, {}, {}
    for size in sorted({1, 2, settings.batch_size}):
        clips = {name: batch(data[name], size) for name in data}
        opened = models.open(threads, clips)
        calls = opened if size == settings.batch_size else calls
        variants = {key: partial(call, clips[sources[key[0]]]) for key, (call, _) in opened.items()}
        say(f'measuring batches of {size}, {threads} thread(s)')
        rounds = _rounds(settings, threads, precise=size < 3)
        timed[size] = measure_interleaved(variants, rounds, watch, untimed_calls=UNTIMED_CALLS if size == 1 else 2)
    several = _measure_side_by_side(settings, timed[1], threads, models, data, watch) if threads > 1 else {}
    complexities = {name: each.complexity(data[name].clips[0]) for name, each in models.candidates.items()}
    found: list[Deployment] = []
    for key, (call, size) in calls.items():
        name, source = key[0], sources[key[0]]
        walls = {count: wall_times(each[key]) for count, each in timed.items()}
        one, side = walls[1], several.get(key, [])
        if key in several and not side:
            one = []  # which of the two is more cannot be said
        params, gflops = complexities[source]
        each = Deployment(
            *key,
            threads=threads,
            latencies=one,
            throughputs=[settings.batch_size / seconds for seconds in walls[settings.batch_size]],
            file_bytes=size,
            params=params,
            gflops=gflops,
            side_by_side=side,
            cpu=timed[1][key].cpu,
            two=timed[2][key].cpu,
            of=None if source == name else source,
        )
        earlier = [each for each in known if (each.model, each.runtime) == key]
        each.accuracy = earlier[0].accuracy if earlier else accuracy(settings, call, data[source], each, found)
        each.memory = _memory(key, threads, models, data[source]) if settings.memory else None
        found.append(each)
    return found


def wall_times(timings: Timings) -> list[float]:
    """Return the wall times; none where other load disturbed them, or where they are spread as if it had."""
    return [] if timings.disturbed or unsteady(timings.wall) else timings.wall


def _rounds(settings: DeploySettings, threads: int, precise: bool) -> Rounds:
    """Return how many rounds there are: of small batches, until the ratio of every line to the first is told."""

    def enough(timings: dict[Line, Timings]) -> bool:
        clock = 'cpu' if threads == 1 else 'wall'
        first, *others = (getattr(each, clock) for each in timings.values())
        return all(Row.of('', 'ratio', median_interval(paired_ratios(first, each))).narrow for each in others)

    most = max(settings.rounds, settings.max_rounds) if precise else settings.rounds
    return Rounds(settings.rounds, most, settings.warmup, enough=enough)


def _measure_side_by_side(
    settings: DeploySettings,
    alone: Mapping[Line, Timings],
    callers: int,
    models: MeasuredModels,
    data: Mapping[str, RealClips],
    watch: LoadWatch,
) -> dict[Line, list[float]]:
    """Return single clips a second, by line, of several processes with one thread each."""
    say(f'measuring {callers} clips side by side')
    clips = {name: batch(data[name], 1) for name in data}
    slowest = max(median(each.wall) for each in alone.values())
    times = max(1, min(CLIPS_PER_CALLER, int(1 / slowest)))
    with SideBySide(callers, times, partial(_open_calls, models.unloaded(), clips)) as side_by_side:
        variants = {line: partial(side_by_side.run, line) for line in alone}
        usual, watch.cpu_time = watch.cpu_time, side_by_side.cpu_time
        try:
            rounds = Rounds(settings.rounds, warmup=settings.warmup)
            timed = measure_interleaved(variants, rounds, watch, untimed_calls=1)
        finally:
            watch.cpu_time = usual
    return {line: [side_by_side.calls / wall for wall in wall_times(each)] for line, each in timed.items()}


def _open_calls(models: MeasuredModels, clips: Mapping[str, np.ndarray]) -> dict[Line, Callable[[], np.ndarray]]:
    """Return what runs a clip on one thread, by line; for a process of its own."""
    torch._dynamo.config.recompile_limit = RECOMPILE_LIMIT
    opened = models.open(1, clips)
    return {line: partial(call, clips[models.sources[line[0]]]) for line, (call, _) in opened.items()}


def accuracy(
    settings: DeploySettings, call: Classify, data: RealClips, each: Deployment, found: Sequence[Deployment]
) -> float | None:
    """Return top-1 on the clips of test that have a label; the compiled model is the eager one, not asked again."""
    if not settings.clips:
        return None
    if each.runtime == COMPILE:
        eager = [other.accuracy for other in found if (other.model, other.runtime) == (each.model, EAGER)]
        if eager:
            return eager[0]
    say(f'accuracy of {each.model} in {each.runtime}')
    labelled = [(clip, label) for clip, label in zip(data.clips, data.labels, strict=True) if label >= 0]
    size, right = settings.batch_size, 0
    for start in range(0, len(labelled), size):
        clips, labels = zip(*labelled[start : start + size], strict=True)
        padded = [*clips, *clips[:1] * (size - len(clips))]  # batches are fixed
        right += int((call(np.stack(padded)).argmax(1)[: len(clips)] == np.array(labels)).sum())
    return right / len(labelled) if labelled else None


def _memory(line: Line, threads: int, models: MeasuredModels, data: RealClips) -> int:
    file, shape = models.file_of(line, batch(data, 1)), [1, *data.clips[0].shape]
    if file is not None:
        return measure_file(file, threads, shape)
    return measure_deployment(models.candidates[line[0]], line[1], threads, shape)


def batch(data: RealClips, size: int) -> np.ndarray:
    """Return ``(N, M, ...)`` clips; they begin anew where there are fewer."""
    return np.stack([data.clips[index % len(data.clips)] for index in range(size)])


def say(what: str) -> None:
    """Print at once."""
    print(what, flush=True)
