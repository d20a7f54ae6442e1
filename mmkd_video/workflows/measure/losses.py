"""What a distillation step costs with each loss, over the same step with KDLoss."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import median

import torch

import mmkd_video
from mmkd_video.benchmark import LoadWatch, Timings, measure_interleaved, median_interval, paired_ratios
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.config import shipped_configs
from mmkd_video.workflows.measure.default_clips import default_clips
from mmkd_video.workflows.measure.loss_costs import LossCost, LossCosts
from mmkd_video.workflows.measure.pair import FEATURES, SCORES, BenchmarkPair
from mmkd_video.workflows.measure.rounds import StepSettings, measured_facts
from mmkd_video.workflows.measure.training_memory import measure_training

BASELINE = 'configs/losses/kd.py'
SETTINGS = StepSettings(warmup=6, memory_runs=1)
LOGITS_TARGET, FEATURE_TARGET = 1.01, 1.05
ONLY_STATED = {'CRDLoss', 'MGDLoss'}  # a bank of all training clips, a generator: their cost is what they are


def benchmark_losses(
    configs: Sequence[str] = (),
    *,
    baseline: str = BASELINE,
    batch_size: int | None = None,
    settings: StepSettings = SETTINGS,
    progress: Callable[[int, int], None] | None = None,
) -> LossCosts:
    """Measure the steps of distillation configs of one pair side by side.

    Args:
        configs: Paths of the configs; all of ``configs/losses``, on the embedded clips, by default.
        baseline: Path of the config that they are compared with.
        batch_size: Number of clips in a batch; the configs' by default.
        settings: Numbers of rounds and threads, and the device.
        progress: Function that is called with (rounds done, rounds in all).

    Raises:
        ValueError: A config is no distillation, or has another pair, data or optimizer than the baseline.
        RuntimeError: A process that measures memory failed.
    """
    paths = [baseline, *(configs or shipped_configs('losses'))]
    with nullcontext('') if configs else default_clips(batch_size) as clips:
        jobs = {Path(path).stem: dict(config=path, clips=clips, batch_size=batch_size, features=None) for path in paths}
        return _benchmark_jobs(jobs, Path(baseline).stem, settings, progress)


def _benchmark_jobs(
    jobs: Mapping[str, dict], baseline: str, settings: StepSettings, progress: Callable[[int, int], None] | None
) -> LossCosts:
    """Measure the pairs that are loaded with the given arguments, by name of the config."""
    pairs = {name: BenchmarkPair.load(**job) for name, job in jobs.items()}
    for name, pair in pairs.items():
        _expect_same_but_terms(name, pair, pairs[baseline])
    clock, device = 'wall' if settings.on_gpu else 'cpu', settings.device
    threads, watch = torch.get_num_threads(), LoadWatch()
    torch.set_num_threads(settings.threads)
    try:
        batch, steps = pairs[baseline].batch(), {}
        for name, pair in pairs.items():
            model = pair.distiller(FEATURES, device)
            steps[name] = pair.training_step(model, pair.wrap(model), batch)
        rounds = settings.rounds_until(
            lambda timings: all(
                cost.row(name).settled for name, cost in loss_costs(pairs, timings, {}, baseline, clock).items()
            )
        )
        timings = measure_interleaved(steps, rounds, watch, device, progress)
    finally:
        torch.set_num_threads(threads)
    peaks: dict[str, list[int]] = {}
    for name, job in jobs.items() if settings.memory_runs else ():
        whole = dict(pair=job, variant=FEATURES, device=device, threads=settings.threads)
        peaks[name] = [measure_training(whole) for _ in range(settings.memory_runs)]
    costs = loss_costs(pairs, timings, peaks, baseline, clock)
    return LossCosts(
        f'A distillation step with other losses over one with KDLoss alone, {clock} time on {device}',
        measured_facts(timings, watch, device)
        | _facts(pairs[baseline], settings, getattr(timings[baseline], clock), peaks.get(baseline)),
        costs,
        dict(seconds={name: vars(each) for name, each in timings.items()}, peak_bytes=peaks),
    )


def loss_costs(
    pairs: Mapping[str, BenchmarkPair],
    timings: Mapping[str, Timings],
    peaks: Mapping[str, Sequence[int]],
    baseline: str,
    clock: str = 'cpu',
) -> dict[str, LossCost]:
    """Return the cost of every config but the baseline.

    Args:
        pairs: Pairs by name of the config.
        timings: Timings by the same names.
        peaks: Bytes by the same names, one number for each process; empty where memory was not measured.
        baseline: Name of the config with KDLoss alone.
        clock: ``'cpu'`` or ``'wall'``.
    """
    costs = {}
    for name in sorted(pairs):
        if name == baseline:
            continue
        ratios = paired_ratios(getattr(timings[name], clock), getattr(timings[baseline], clock))
        above = int(median(peaks[name]) - median(peaks[baseline])) if peaks else None
        terms = pairs[name].feature_terms
        costs[name] = LossCost(', '.join(map(_shown, terms)), median_interval(ratios), target_of(terms), above)
    return costs


def target_of(terms: Sequence[Mapping]) -> float | None:
    """Return the most that a step with these terms should take, in steps with KDLoss; None where it is only stated."""
    if ONLY_STATED & {term['type'] for term in terms}:
        return None
    return LOGITS_TARGET if all(term['at'] in SCORES for term in terms) else FEATURE_TARGET


def _expect_same_but_terms(name: str, pair: BenchmarkPair, baseline: BenchmarkPair) -> None:
    for key in ('student', 'teacher', 'optim_wrapper', 'dataset', 'batch_size'):
        ours, theirs = (_without_head(getattr(each, key)) for each in (pair, baseline))
        if ours != theirs:
            raise WrongValueError(
                f'{name}: its {key} is not that of the baseline; expected configs that differ in terms only'
            )


def _without_head(value: object) -> object:
    """Leave out the student's head: where it reuses the teacher's, that is the method."""
    return {key: item for key, item in value.items() if key != 'cls_head'} if isinstance(value, Mapping) else value


def _shown(term: Mapping) -> str:
    at = term['at'] if isinstance(term['at'], list) else [term['at']]
    taps = [each if isinstance(each, str) else each[0] for each in at]  # the student's
    return f'{term["type"]} at {", ".join(taps)}'


def _facts(
    pair: BenchmarkPair, settings: StepSettings, seconds: Sequence[float], peaks: Sequence[int] | None
) -> dict[str, str]:
    where = torch.cuda.get_device_name() if settings.on_gpu else f'{settings.threads} CPU thread(s)'
    found = median_interval(seconds)
    middle, low, high = (f'{1e3 * value:.1f} ms' for value in (found.median, found.low, found.high))
    facts = {
        'a step': f'batch of {pair.batch_size} decoded clips; {where}',
        'step with KDLoss': f'{middle} ({low} to {high})',
    }
    if peaks:
        facts['peak memory with KDLoss'] = f'{median(peaks) / 1e6:.1f} MB'
    return facts | {'versions': f'mmkd_video {mmkd_video.__version__}, torch {torch.__version__}'}
