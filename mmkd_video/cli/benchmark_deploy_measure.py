"""The measurements of ``tools/benchmark.py deploy``: every model in every runtime, side by side, and by itself."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
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
from mmkd_video.export import load_exported
from mmkd_video.recognizers.real_clips import RealClips
from mmkd_video.workflows.measure.deploy_candidates import (
    COMPILE,
    EAGER,
    EXPORTED,
    INT8,
    Candidate,
    Classify,
    file_size,
)
from mmkd_video.workflows.measure.deployment_memory import measure_deployment

FOLDER = Path('work_dirs/benchmark/deploy')
EACH = 20  # clips of each caller where several work side by side; fewer where one takes long
SETTLE = 10  # calls before a measured one, clip by clip: with one, a small model still ran at half its speed
RECOMPILE_LIMIT = 1000  # the models share their code, which is compiled for each of them

Line = tuple[str, str]
"""A model and what runs it: the two names that a line of the table begins with."""


@dataclass(frozen=True)
class Models:
    """What is measured.

    Args:
        candidates: The models by name.
        files: The model whose clips it takes, and the path, of each given file by name.
        runtimes: In which every model runs.
        int8: Names of the models that run in int8 too, each in a file that is made for it.
        folder: Of exported files.
    """

    candidates: Mapping[str, Candidate]
    files: Mapping[str, tuple[str, Path]]
    runtimes: Sequence[str]
    int8: Sequence[str] = ()
    folder: Path = field(default_factory=lambda: FOLDER)

    @property
    def sources(self) -> dict[str, str]:
        """The model whose clips each model and each file takes."""
        return {name: name for name in self.candidates} | {name: of for name, (of, _) in self.files.items()}

    def runtimes_of(self, name: str) -> list[str]:
        """Return in what a model runs."""
        return [*self.runtimes, *([INT8] if name in self.int8 else [])]

    def open(self, threads: int, clips: Mapping[str, np.ndarray]) -> dict[Line, tuple[Classify, int]]:
        """Open everything for batches of one size; return what classifies, and the bytes of its file, by line."""
        opened: dict[Line, tuple[Classify, int]] = {}
        for name, candidate in self.candidates.items():
            for runtime in self.runtimes_of(name):
                opened[name, runtime] = candidate.open(runtime, threads, self.folder, clips[name])
        for name, (of, path) in self.files.items():
            model = load_exported(path, threads=threads, batch=len(clips[of]))
            opened[name, f'{model.backend} {model.precision}'.replace(' f32', '')] = model, file_size(path)
        return opened

    def unloaded(self) -> 'Models':
        """Return the same without weights that are loaded already, for another process."""
        return replace(self, candidates={name: replace(each) for name, each in self.candidates.items()})

    def file_of(self, line: Line, clips: np.ndarray) -> Path | None:
        """Return the file that a line runs; None for those that run in PyTorch."""
        name, runtime = line
        if name in self.files:
            return self.files[name][1]
        if runtime == INT8:
            return self.candidates[name].quantized(self.folder, clips)
        return self.candidates[name].exported(EXPORTED[runtime][0], self.folder, clips) if runtime in EXPORTED else None


def measure(
    options: argparse.Namespace,
    threads: int,
    models: Models,
    data: Mapping[str, RealClips],
    watch: LoadWatch,
    known: Sequence[Deployment],
) -> list[Deployment]:
    """Measure everything with one number of threads.

    Args:
        options: Of ``tools/benchmark.py deploy``.
        threads: Of the CPU.
        models: To measure.
        data: Clips by model.
        watch: Sees other load; keeps what it saw.
        known: Measured before; what does not depend on the number of threads is taken from these.
    """
    sources, timed, calls = models.sources, {}, {}
    for size in sorted({1, 2, options.batch_size}):
        clips = {name: batch(data[name], size) for name in data}
        opened = models.open(threads, clips)
        calls = opened if size == options.batch_size else calls
        variants = {key: partial(call, clips[sources[key[0]]]) for key, (call, _) in opened.items()}
        say(f'measuring batches of {size}, {threads} thread(s)')
        rounds = _rounds(options, threads, precise=size < 3)
        timed[size] = measure_interleaved(variants, rounds, watch, settle=SETTLE if size == 1 else 2)
    several = _measure_side_by_side(options, timed[1], threads, models, data, watch) if threads > 1 else {}
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
            throughputs=[options.batch_size / seconds for seconds in walls[options.batch_size]],
            file_bytes=size,
            params=params,
            gflops=gflops,
            side_by_side=side,
            cpu=timed[1][key].cpu,
            two=timed[2][key].cpu,
            of=None if source == name else source,
        )
        earlier = [each for each in known if (each.model, each.runtime) == key]
        each.accuracy = earlier[0].accuracy if earlier else accuracy(options, call, data[source], each, found)
        each.memory = None if options.no_memory else _memory(key, threads, models, data[source])
        found.append(each)
    return found


def wall_times(timings: Timings) -> list[float]:
    """Return the wall times; none where other load disturbed them, or where they are spread as if it had."""
    return [] if timings.disturbed or unsteady(timings.wall) else timings.wall


def _rounds(options: argparse.Namespace, threads: int, precise: bool) -> Rounds:
    """Return how many rounds there are: of small batches, until the ratio of every line to the first is told."""

    def enough(timings: dict[Line, Timings]) -> bool:
        clock = 'cpu' if threads == 1 else 'wall'
        first, *others = (getattr(each, clock) for each in timings.values())
        return all(Row.of('', 'ratio', median_interval(paired_ratios(first, each))).narrow for each in others)

    most = max(options.rounds, options.max_rounds) if precise else options.rounds
    return Rounds(options.rounds, most, options.warmup, enough=enough)


def _measure_side_by_side(
    options: argparse.Namespace,
    alone: Mapping[Line, Timings],
    callers: int,
    models: Models,
    data: Mapping[str, RealClips],
    watch: LoadWatch,
) -> dict[Line, list[float]]:
    """Return single clips a second, by line, of several processes with one thread each."""
    say(f'measuring {callers} clips side by side')
    clips = {name: batch(data[name], 1) for name in data}
    slowest = max(median(each.wall) for each in alone.values())
    each = max(1, min(EACH, int(1 / slowest)))
    with SideBySide(callers, each, partial(_open_calls, models.unloaded(), clips)) as side_by_side:
        variants = {line: partial(side_by_side.run, line) for line in alone}
        usual, watch.cpu_time = watch.cpu_time, side_by_side.cpu_time
        try:
            rounds = Rounds(options.rounds, warmup=options.warmup)
            timed = measure_interleaved(variants, rounds, watch, settle=1)
        finally:
            watch.cpu_time = usual
    return {line: [side_by_side.calls / wall for wall in wall_times(each)] for line, each in timed.items()}


def _open_calls(models: Models, clips: Mapping[str, np.ndarray]) -> dict[Line, Callable[[], np.ndarray]]:
    """Return what runs a clip on one thread, by line; for a process of its own."""
    torch._dynamo.config.recompile_limit = RECOMPILE_LIMIT
    opened = models.open(1, clips)
    return {line: partial(call, clips[models.sources[line[0]]]) for line, (call, _) in opened.items()}


def accuracy(
    options: argparse.Namespace, call: Classify, data: RealClips, each: Deployment, found: Sequence[Deployment]
) -> float | None:
    """Return top-1 on the clips of test that have a label; the compiled model is the eager one, not asked again."""
    if not options.clips:
        return None
    if each.runtime == COMPILE:
        eager = [other.accuracy for other in found if (other.model, other.runtime) == (each.model, EAGER)]
        if eager:
            return eager[0]
    say(f'accuracy of {each.model} in {each.runtime}')
    labelled = [(clip, label) for clip, label in zip(data.clips, data.labels, strict=True) if label >= 0]
    size, right = options.batch_size, 0
    for start in range(0, len(labelled), size):
        clips, labels = zip(*labelled[start : start + size], strict=True)
        padded = [*clips, *clips[:1] * (size - len(clips))]  # batches are fixed
        right += int((call(np.stack(padded)).argmax(1)[: len(clips)] == np.array(labels)).sum())
    return right / len(labelled) if labelled else None


def _memory(line: Line, threads: int, models: Models, data: RealClips) -> int:
    file = models.file_of(line, batch(data, 1))
    job = dict(runtime=line[1], threads=threads, shape=[1, *data.clips[0].shape])
    job['file'] = None if file is None else str(file)
    if file is None:
        candidate = models.candidates[line[0]]
        job |= dict(config=candidate.config, checkpoint=candidate.checkpoint)
    return measure_deployment(job)


def batch(data: RealClips, size: int) -> np.ndarray:
    """Return ``(N, M, ...)`` clips; they begin anew where there are fewer."""
    return np.stack([data.clips[index % len(data.clips)] for index in range(size)])


def say(what: str) -> None:
    """Print at once."""
    print(what, flush=True)
