"""Latency, size and accuracy of models where they will run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import mmkd_video
from mmkd_video.benchmark import (
    DeploymentReport,
    LoadWatch,
    Row,
    describe_processor,
    draw_deployments,
    median_interval,
    paired_ratios,
)
from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.export import expect_backend
from mmkd_video.recognizers.real_clips import RealClips, real_clips
from mmkd_video.workflows.deploy.quantized_student import MAX_DROP
from mmkd_video.workflows.measure.deploy_candidates import Candidate
from mmkd_video.workflows.measure.deploy_lines import (
    CLIPS_PER_CALLER,
    RECOMPILE_LIMIT,
    UNTIMED_CALLS,
    measure_lines,
    say,
)
from mmkd_video.workflows.measure.deploy_models import FOLDER, MeasuredModels
from mmkd_video.workflows.measure.deploy_runtimes import all_runtimes, choose_runtimes, expect_runtimes, int8_runtimes
from mmkd_video.workflows.measure.deploy_settings import WARMUP, DeploySettings, settings_for
from mmkd_video.workflows.measure.exported_file import ExportedFile
from mmkd_video.workflows.measure.random_models import PAIR, random_models

PICTURE = FOLDER / 'deploy.png'
TARGET_DROP = 1.0

TrainedModel = tuple[str, str, str]
"""A name for the table, the path of a config and that of a checkpoint."""
GivenFile = tuple[str, str, str]
"""A name for the table, the name of the model whose clips it takes, and the path of an exported file."""


def benchmark_deploy(
    models: Sequence[TrainedModel] = (),
    *,
    files: Sequence[GivenFile] = (),
    random_weights: bool = False,
    int8: Sequence[str] = (),
    calibration: int | None = None,
    max_drop: float | None = None,
    runtimes: Sequence[str] | None = None,
    threads: Sequence[int] | None = None,
    rounds: int | None = None,
    max_rounds: int | None = None,
    warmup: int = WARMUP,
    batch_size: int | None = None,
    clips: int | None = None,
    memory: bool = True,
    reference: str | None = None,
    target_speedup: float | None = None,
    target_drop: float = TARGET_DROP,
    picture: str | Path | None = None,
) -> DeploymentReport:
    """Measure models side by side in eager PyTorch, torch.compile and every registered backend.

    A backend of a user's own is registered by the config of any model that imports it (``custom_imports``).

    Args:
        models: Name, config and checkpoint of each trained recognizer; the first, in its first runtime, is 1 x.
        files: Name, name of the model whose clips it takes, and path of each exported or quantized file.
        random_weights: Whether weights are random; ``models`` may be empty then, and their checkpoints are not read.
        int8: Names of the models to measure in int8 too, calibrated here; all of them where weights are random.
        calibration: Number of training clips for ``int8``; 256, or 16 where weights are random.
        max_drop: Top-1 that an int8 file calibrated here may lose, 0 to 1; 0.01, or 1 where weights are random.
        runtimes: Names of the runtimes; all that run here by default.
        threads: Numbers of CPU threads, each of which is measured; one and PyTorch's by default.
        rounds: Fewest rounds; 30, or 10 where weights are random.
        max_rounds: Most rounds of one clip and of two; 100, or 20 where weights are random.
        warmup: Number of rounds before the measured ones.
        batch_size: Number of clips in a batch, for the throughput; 8, or 2 where weights are random.
        clips: Number of test clips for the accuracy, 0 for none; 1000, or 0 where weights are random.
        memory: Whether memory is measured.
        reference: Name of the model with whose accuracy that of the last line is compared.
        target_speedup: Single clips a second that the last line should do, as a multiple of the first line's.
        target_drop: Points that the accuracy of the last line may lie below that of the reference.
        picture: Path of a picture of accuracy against latency, which is drawn where any line has both.

    Raises:
        ValueError: A name is unknown or given twice, or nothing can run.
        FileNotFoundError: A config, checkpoint, file or data set is not there.
        MissingExtraError: A runtime is not installed.
    """
    settings = settings_for(
        random_weights,
        threads=threads,
        rounds=rounds,
        max_rounds=max_rounds,
        batch_size=batch_size,
        clips=clips,
        calibration=calibration,
        warmup=warmup,
        memory=memory,
    )
    models, int8 = chosen_models(models, int8, random_weights)
    if max_drop is None:  # what random weights answer is not worth any layer in float
        max_drop = 1.0 if random_weights else MAX_DROP
    candidates = _candidates(models, files, int8, settings.calibration, max_drop)
    _expect_files(files, candidates, reference)
    configs = {name: each.settings for name, each in candidates.items()}  # what they import is registered now
    expect_runtimes(runtimes)
    given = {name: (of, ExportedFile(expect_backend(path), Path(path))) for name, of, path in files}
    longest = max(settings.clips, settings.batch_size)
    data = {name: real_clips(config, longest) for name, config in configs.items()}
    chosen, left_out = choose_runtimes(runtimes)
    for runtime, reason in left_out.items():
        say(f'{runtime} is left out: {reason}')
    known = all_runtimes()
    measured = MeasuredModels(candidates, given, [known[name] for name in chosen], int8, FOLDER)
    report = _measured_report(settings, measured, data)
    report.facts = _facts(settings, measured, data, left_out, random_weights) | report.facts
    report.targets = list(_targets(report, reference, target_speedup, target_drop))
    if picture is not None and any(None not in (each.accuracy, each.latency) for each in report.deployments):
        print(f'picture: {draw_deployments(report, picture)}')
    return report


def _measured_report(
    settings: DeploySettings, models: MeasuredModels, data: Mapping[str, RealClips]
) -> DeploymentReport:
    """Measure with each number of threads; of the facts, only what was seen of other load is there."""
    report, watch = DeploymentReport('Models in their runtimes', []), LoadWatch()
    threads_before = torch.get_num_threads()
    torch._dynamo.config.recompile_limit = RECOMPILE_LIMIT
    try:
        for threads in settings.threads:
            torch.set_num_threads(threads)
            report.deployments += measure_lines(settings, threads, models, data, watch, report.deployments)
    finally:
        torch.set_num_threads(threads_before)
    report.facts['other load'] = str(watch)
    return report


def chosen_models(
    models: Sequence[TrainedModel], int8: Sequence[str], random_weights: bool
) -> tuple[list[TrainedModel], list[str]]:
    """Return the models, made here where their weights are random, and the names of those to measure in int8 too.

    Args:
        models: Name, config and checkpoint of each.
        int8: Names that were asked for.
        random_weights: Whether the weights are random.

    Raises:
        ValueError: There is no model.
    """
    if random_weights:
        chosen = [(name, config) for name, config, _ in models] or list(PAIR)
        return random_models(FOLDER / 'random', chosen), list(int8) or [name for name, _ in chosen]
    if not models:
        raise WrongValueError('got no --model; give NAME CONFIG CHECKPOINT, or --random-weights')
    return list(models), list(int8)


def _candidates(
    models: Sequence[TrainedModel], files: Sequence[GivenFile], int8: Sequence[str], calibration: int, max_drop: float
) -> dict[str, Candidate]:
    names = [name for name, *_ in (*models, *files)]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise WrongValueError(f'the name {sorted(twice)[0]!r} is given twice; every --model and --file needs its own')
    for _, _, checkpoint in models:
        if not Path(checkpoint).is_file():
            raise MissingFileError(f'checkpoint {checkpoint!r} does not exist')
    known = [name for name, *_ in models]
    for name in int8:
        if name not in known:
            raise WrongValueError(f'--int8: got {name!r}; expected one of {", ".join(known)}')
    return {name: Candidate(name, config, checkpoint, calibration, max_drop) for name, config, checkpoint in models}


def _expect_files(files: Sequence[GivenFile], candidates: Mapping[str, Candidate], reference: str | None) -> None:
    for name, of, path in files:
        if of not in candidates:
            raise WrongValueError(f'--file {name}: got {of!r} as its model; expected one of {", ".join(candidates)}')
        if not Path(path).is_file():
            raise MissingFileError(f'--file {name}: {path} does not exist')
    if reference is not None and reference not in candidates:
        raise WrongValueError(f'--reference: got {reference!r}; expected one of {", ".join(candidates)}')


def _targets(
    report: DeploymentReport, reference: str | None, target_speedup: float | None, target_drop: float
) -> Iterator[Row]:
    last, first = report.deployments[-1], report.deployments[0]
    if target_speedup is not None:
        one, other = f'{first.model} ({first.runtime})', f'{last.model} ({last.runtime})'
        target = 1 / target_speedup
        for each in report.deployments:
            if (each.model, each.runtime) == (last.model, last.runtime):
                threads, base = f'{each.threads} thread(s) each', report.baseline(each.threads)
                yield Row.of(f'clips/s of {one} / {other}, {threads}', 'ratio', report.clips_ratio(each), target)
                paired = base.latencies and len(base.latencies) == len(each.latencies)
                ratio = median_interval(paired_ratios(each.latencies, base.latencies)) if paired else None
                yield Row.of(f'latency of {other} / {one}, {threads}', 'ratio', ratio)
    compared = next((each for each in report.deployments if each.model == reference), None)
    if compared is not None and None not in (compared.accuracy, last.accuracy):
        drop = (compared.accuracy - last.accuracy) * 100
        yield Row(f'points of {last.model} below {reference}', drop, 'count', None, target_drop)


def _facts(
    settings: DeploySettings,
    models: MeasuredModels,
    data: Mapping[str, RealClips],
    left_out: Mapping[str, str],
    random_weights: bool,
) -> dict[str, str]:
    versions = [f'mmkd_video {mmkd_video.__version__}', f'torch {torch.__version__}']
    packages = dict.fromkeys(package for each in models.backends for package in each.packages)
    versions += [f'{package} {_version(package)}' for package in packages]
    facts = {
        'measured': f'CPU time of all threads, and wall time; at least {settings.rounds} interleaved rounds in random '
        f'order after {settings.warmup} to warm up, of one clip and of two at most {settings.max_rounds}; medians with '
        '95 % intervals of ratios within a round',
        'one clip, latency': f'one clip, after up to {UNTIMED_CALLS} of the same model, as in a stream; two '
        'together: a batch',
        'clips/s and x': 'single clips by wall time, one after the other on all threads or, where that is more, in as '
        f'many processes at once as there are threads, each on one (up to {CLIPS_PER_CALLER} in each); batched/s: '
        f'batches of {settings.batch_size}; batches are fixed',
        'a clip': 'what the test pipeline of a model takes of a video, so that x compares videos, not frames; frames x '
        f'height x width: {_for_each_model(data, _clip_size)}',
        'processor': describe_processor(),
        'accuracy': f'top-1 on {_for_each_model(data, _labelled)} clips of test' if settings.clips else 'not measured',
        'versions': ', '.join(versions),
    }
    if random_weights:
        facts['weights'] = 'random, with the statistics of a few clips in batch normalisation; they change no time'
    if models.int8:
        said = f'{", ".join(models.int8)}: calibrated on {settings.calibration} training clips'
        facts.update(dict.fromkeys(int8_runtimes(), said))
    if left_out:
        facts['left out'] = '; '.join(f'{runtime}: {reason}' for runtime, reason in left_out.items())
    return facts


def _for_each_model(data: Mapping[str, RealClips], describe: Callable[[RealClips], str]) -> str:
    """Describe the clips of every model; once where all say the same."""
    found = {name: describe(clips) for name, clips in data.items()}
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    return ', '.join(f'{name} {text}' for name, text in found.items())


def _clip_size(data: RealClips) -> str:
    number, _, *frames, height, width = data.clips[0].shape
    several = f'{number} clips of ' if frames and number > 1 else ''
    return f'{several}{frames[0] if frames else number} x {height} x {width}'


def _labelled(data: RealClips) -> str:
    return str(sum(label >= 0 for label in data.labels))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return 'not installed'
