"""``tools/benchmark.py losses``: what a distillation step costs with each loss, over the same step with KDLoss."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

import torch
import yaml

import mmkd_video
from mmkd_video.benchmark import LoadWatch, Rounds, Timings, measure_interleaved, median_interval, paired_ratios
from mmkd_video.cli.benchmark_rounds import measured_facts, most_rounds
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.workflows.measure.loss_costs import LossCost, LossCosts
from mmkd_video.workflows.measure.pair import FEATURES, SCORES, BenchmarkPair
from mmkd_video.workflows.measure.training_memory import measure_apart

CONFIGS, COSTS = Path('configs/losses'), Path('docs/losses/costs.yml')
LOGITS_TARGET, FEATURE_TARGET = 1.01, 1.05
STATED = {'CRDLoss', 'MGDLoss'}  # a bank of all training clips, a generator: their cost is what they are


def benchmark_losses(
    options: argparse.Namespace, clips: str, progress: Callable[[int, int], None] | None = None
) -> LossCosts:
    """Measure the steps of all configs side by side.

    Args:
        options: Of ``tools/benchmark.py losses``.
        clips: Folder of the embedded clips, for the shipped configs.
        progress: Called with (rounds done, rounds in all).

    Raises:
        ValueError: A config is no distillation, or has another pair, data or optimizer than the baseline.
        RuntimeError: A process that measures memory failed.
    """
    paths = [options.baseline, *(options.configs or sorted(map(str, CONFIGS.glob('*.py'))))]
    jobs = {Path(path).stem: _job(path, clips, options) for path in paths}
    pairs = {name: BenchmarkPair.load(**job) for name, job in jobs.items()}
    baseline = Path(options.baseline).stem
    for name, pair in pairs.items():
        _see_that_only_terms_differ(name, pair, pairs[baseline])
    clock = 'wall' if options.device.startswith('cuda') else 'cpu'  # a GPU's work is not the process's
    threads, watch = torch.get_num_threads(), LoadWatch()
    torch.set_num_threads(options.threads)
    try:
        batch, steps = pairs[baseline].batch(), {}
        for name, pair in pairs.items():
            model = pair.distiller(FEATURES, options.device)
            steps[name] = pair.training_step(model, pair.wrap(model), batch)
        rounds = Rounds(
            options.pairs,
            most_rounds(options, options.pairs),
            options.warmup,
            enough=lambda timings: all(
                cost.row(name).settled for name, cost in loss_costs(pairs, timings, {}, baseline, clock).items()
            ),
        )
        timings = measure_interleaved(steps, rounds, watch, options.device, progress)
    finally:
        torch.set_num_threads(threads)
    peaks: dict[str, list[int]] = {}
    for name, job in jobs.items() if options.memory_runs else ():
        whole = dict(pair=job, variant=FEATURES, device=options.device, threads=options.threads)
        peaks[name] = [measure_apart(whole) for _ in range(options.memory_runs)]
    costs = loss_costs(pairs, timings, peaks, baseline, clock)
    return LossCosts(
        f'A distillation step with other losses over one with KDLoss alone, {clock} time on {options.device}',
        measured_facts(timings, watch, options.device)
        | _facts(pairs[baseline], options, getattr(timings[baseline], clock), peaks.get(baseline)),
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
        pairs: By name of the config.
        timings: By the same names.
        peaks: Bytes by the same names, one of each process; empty where memory was not measured.
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
    if STATED & {term['type'] for term in terms}:
        return None
    return LOGITS_TARGET if all(term['at'] in SCORES for term in terms) else FEATURE_TARGET


def write_costs(costs: LossCosts) -> None:
    """Write the file from which the pages of the losses take what they cost."""
    write_atomically(yaml.safe_dump(costs.summary(), sort_keys=False, width=120).encode(), COSTS)


def _job(path: str, clips: str, options: argparse.Namespace) -> dict:
    shipped = not options.configs
    return dict(config=path, clips=clips if shipped else '', batch_size=options.batch_size, features=None)


def _see_that_only_terms_differ(name: str, pair: BenchmarkPair, baseline: BenchmarkPair) -> None:
    for key in ('student', 'teacher', 'optim_wrapper', 'dataset', 'batch_size'):
        ours, theirs = (_without_head(getattr(each, key)) for each in (pair, baseline))
        if ours != theirs:
            raise ValueError(
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
    pair: BenchmarkPair, options: argparse.Namespace, seconds: Sequence[float], peaks: Sequence[int] | None
) -> dict[str, str]:
    where = torch.cuda.get_device_name() if options.device.startswith('cuda') else f'{options.threads} CPU thread(s)'
    found = median_interval(seconds)
    middle, low, high = (f'{1e3 * value:.1f} ms' for value in (found.median, found.low, found.high))
    facts = {
        'a step': f'batch of {pair.batch_size} decoded clips; {where}',
        'step with KDLoss': f'{middle} ({low} to {high})',
    }
    if peaks:
        facts['peak memory with KDLoss'] = f'{median(peaks) / 1e6:.1f} MB'
    return facts | {'versions': f'mmkd_video {mmkd_video.__version__}, torch {torch.__version__}'}
