"""The code behind ``tools/benchmark.py deploy``: latency, size and accuracy of models where they will run."""

import argparse
from collections.abc import Callable, Mapping, Sequence
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
from mmkd_video.cli import benchmark_deploy_measure as measuring
from mmkd_video.cli.benchmark_deploy_measure import EACH, FOLDER, SETTLE, Models, say
from mmkd_video.cli.benchmark_outputs import add_outputs
from mmkd_video.recognizers.real_clips import RealClips, real_clips
from mmkd_video.workflows.deploy.quantized_student import MAX_DROP
from mmkd_video.workflows.measure.deploy_candidates import CALIBRATION, INT8, RUNTIMES, Candidate
from mmkd_video.workflows.measure.deploy_runtimes import choose_runtimes
from mmkd_video.workflows.measure.random_models import CLIPS, PAIR, random_models

USUAL = dict(rounds=30, max_rounds=100, batch_size=8, clips=1000, calibration=CALIBRATION)
USUAL_RANDOM = dict(rounds=10, max_rounds=20, batch_size=2, clips=0, calibration=CLIPS['train'])


def add_deploy(kinds: argparse._SubParsersAction) -> None:
    """Add ``deploy`` to the parser of ``tools/benchmark.py``."""
    parser = kinds.add_parser(
        'deploy',
        help='latency, throughput, memory, size and accuracy of models in their runtimes',
        description='Measure models side by side in eager PyTorch, torch.compile, ONNX Runtime and OpenVINO. The first '
        '--model in its first runtime is 1 x.',
    )
    parser.set_defaults(measure=benchmark_deploy)
    parser.add_argument(
        '--model',
        nargs=3,
        action='append',
        metavar=('NAME', 'CONFIG', 'CHECKPOINT'),
        default=[],
        dest='models',
        help='a trained recognizer and its name in the table; may be repeated',
    )
    parser.add_argument(
        '--random-weights',
        action='store_true',
        help="no checkpoints are needed: MMAction2's I3D-R50 and TSM-MobileNetV2 at 224 pixels, or each --model (its "
        'CHECKPOINT is not read), with random weights, each in int8 too; accuracies say nothing then',
    )
    parser.add_argument(
        '--int8',
        nargs='+',
        default=[],
        metavar='NAME',
        help='each --model to measure in int8 too, calibrated here (those of --file are quantized already)',
    )
    parser.add_argument('--calibration', type=int, help=f'training clips for --int8 ({CALIBRATION})')
    parser.add_argument(
        '--file',
        nargs=3,
        action='append',
        default=[],
        metavar=('NAME', 'OF', 'FILE'),
        dest='files',
        help='an exported or quantized file, and the --model whose clips it takes',
    )
    parser.add_argument('--runtimes', nargs='+', choices=RUNTIMES, help='all that run here by default')
    parser.add_argument(
        '--threads',
        type=int,
        nargs='+',
        default=sorted({1, torch.get_num_threads()}),
        help='of the CPU; each is measured',
    )
    parser.add_argument('--rounds', type=int, help='each measures every model in every runtime once (30; random: 10)')
    parser.add_argument(
        '--max-rounds',
        type=int,
        help='of one clip and of two, rounds are added until the interval of every ratio reaches at most a hundredth '
        'of its median from it; no more than these (100; random: 20)',
    )
    parser.add_argument('--warmup', type=int, default=3, help='rounds before that')
    parser.add_argument('--batch-size', type=int, help='for the throughput (8; random: 2)')
    parser.add_argument('--clips', type=int, help='of test, for the accuracy; 0: none (1000; random: 0)')
    parser.add_argument('--no-memory', action='store_true', help='do not measure memory')
    parser.add_argument(
        '--target-speedup',
        type=float,
        help='of the last line over the first, in single clips a second',
    )
    parser.add_argument(
        '--target-drop', type=float, default=1.0, help='points that its accuracy may lie below --reference'
    )
    parser.add_argument('--reference', metavar='NAME', help='the --model whose accuracy it is compared with')
    add_outputs(parser, 'deploy', FOLDER / 'deploy.png')


def benchmark_deploy(options: argparse.Namespace, clips: str | None = None) -> DeploymentReport:
    """Measure models in their runtimes.

    Args:
        options: Of :func:`add_deploy`.
        clips: Not used; every model brings its own data set.

    Raises:
        ValueError: A name is unknown or given twice, or nothing can run.
        FileNotFoundError: A config, checkpoint, file or data set is not there.
        MissingExtraError: A runtime is not installed.
    """
    options = _resolved(options)
    candidates = _candidates(options)
    files = _files(options, candidates)
    data = {
        name: real_clips(each.settings, max(options.clips, options.batch_size)) for name, each in candidates.items()
    }
    runtimes, left_out = choose_runtimes(options.runtimes)
    for runtime, reason in left_out.items():
        say(f'{runtime} is left out: {reason}')
    models = Models(candidates, files, runtimes, options.int8, FOLDER)
    report, watch = DeploymentReport('Models in their runtimes', []), LoadWatch()
    threads_before = torch.get_num_threads()
    torch._dynamo.config.recompile_limit = measuring.RECOMPILE_LIMIT
    try:
        for threads in options.threads:
            torch.set_num_threads(threads)
            report.deployments += measuring.measure(options, threads, models, data, watch, report.deployments)
    finally:
        torch.set_num_threads(threads_before)
    report.facts = _facts(options, models, data, left_out) | {'other load': str(watch)}
    report.targets = list(_targets(options, report))
    if any(None not in (each.accuracy, each.latency) for each in report.deployments):
        print(f'picture: {draw_deployments(report, options.picture)}')
    return report


def _resolved(options: argparse.Namespace) -> argparse.Namespace:
    """Return the options with what is left open, and with the models that have random weights."""
    usual = USUAL_RANDOM if options.random_weights else USUAL
    found = argparse.Namespace(**vars(options))
    for key, value in usual.items():
        if getattr(found, key) is None:
            setattr(found, key, value)
    if options.random_weights:
        chosen = [(name, config) for name, config, _ in options.models] or PAIR
        found.models = random_models(FOLDER / 'random', chosen)
        found.int8 = options.int8 or [name for name, _ in chosen]
    if not found.models:
        raise ValueError('got no --model; give NAME CONFIG CHECKPOINT, or --random-weights')
    return found


def _candidates(options: argparse.Namespace) -> dict[str, Candidate]:
    names = [name for name, *_ in (*options.models, *options.files)]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f'the name {sorted(twice)[0]!r} is given twice; every --model and --file needs its own')
    for _, _, checkpoint in options.models:
        if not Path(checkpoint).is_file():
            raise FileNotFoundError(f'checkpoint {checkpoint!r} does not exist')
    known = [name for name, *_ in options.models]
    for name in options.int8:
        if name not in known:
            raise ValueError(f'--int8: got {name!r}; expected one of {", ".join(known)}')
    drop = 1.0 if options.random_weights else MAX_DROP  # what random weights answer is not worth any layer in float
    return {
        name: Candidate(name, config, checkpoint, options.calibration, drop)
        for name, config, checkpoint in options.models
    }


def _files(options: argparse.Namespace, candidates: Mapping[str, Candidate]) -> dict[str, tuple[str, Path]]:
    for name, of, path in options.files:
        if of not in candidates:
            raise ValueError(f'--file {name}: got {of!r} as its model; expected one of {", ".join(candidates)}')
        if not Path(path).is_file():
            raise FileNotFoundError(f'--file {name}: {path} does not exist')
    if options.reference is not None and options.reference not in candidates:
        raise ValueError(f'--reference: got {options.reference!r}; expected one of {", ".join(candidates)}')
    return {name: (of, Path(path)) for name, of, path in options.files}


def _targets(options: argparse.Namespace, report: DeploymentReport) -> Sequence[Row]:
    last, first = report.deployments[-1], report.deployments[0]
    if options.target_speedup is not None:
        one, other = f'{first.model} ({first.runtime})', f'{last.model} ({last.runtime})'
        target = 1 / options.target_speedup
        for each in report.deployments:
            if (each.model, each.runtime) == (last.model, last.runtime):
                threads, base = f'{each.threads} thread(s) each', report.baseline(each.threads)
                yield Row.of(f'clips/s of {one} / {other}, {threads}', 'ratio', report.clips_ratio(each), target)
                paired = base.latencies and len(base.latencies) == len(each.latencies)
                ratio = median_interval(paired_ratios(each.latencies, base.latencies)) if paired else None
                yield Row.of(f'latency of {other} / {one}, {threads}', 'ratio', ratio)
    reference = next((each for each in report.deployments if each.model == options.reference), None)
    if reference is not None and None not in (reference.accuracy, last.accuracy):
        drop = (reference.accuracy - last.accuracy) * 100
        yield Row(f'points of {last.model} below {options.reference}', drop, 'count', None, options.target_drop)


def _facts(
    options: argparse.Namespace, models: Models, data: Mapping[str, RealClips], left_out: Mapping[str, str]
) -> dict[str, str]:
    versions = [f'mmkd_video {mmkd_video.__version__}', f'torch {torch.__version__}']
    for package in ('onnxruntime', 'openvino'):
        if any(runtime.startswith(package) for runtime in models.runtimes) or options.files or options.int8:
            versions.append(f'{package} {_version(package)}')
    facts = {
        'measured': f'CPU time of all threads, and wall time; at least {options.rounds} interleaved rounds in random '
        f'order after {options.warmup} to warm up, of one clip and of two at most {options.max_rounds}; medians with '
        '95 % intervals of ratios within a round',
        'one clip, latency': f'one clip, after up to {SETTLE} of the same model, as in a stream; two together: a batch',
        'clips/s and x': 'single clips by wall time, one after the other on all threads or, where that is more, in as '
        f'many processes at once as there are threads, each on one (up to {EACH} in each); batched/s: batches of '
        f'{options.batch_size}; batches are fixed',
        'a clip': 'what the test pipeline of a model takes of a video, so that x compares videos, not frames; frames x '
        f'height x width: {_each(data, _clip_size)}',
        'processor': describe_processor(),
        'accuracy': f'top-1 on {_each(data, _labelled)} clips of test' if options.clips else 'not measured',
        'versions': ', '.join(versions),
    }
    if options.random_weights:
        facts['weights'] = 'random, with the statistics of a few clips in batch normalisation; they change no time'
    if options.int8:
        facts[INT8] = f'{", ".join(options.int8)}: calibrated on {options.calibration} training clips'
    if left_out:
        facts['left out'] = '; '.join(f'{runtime}: {reason}' for runtime, reason in left_out.items())
    return facts


def _each(data: Mapping[str, RealClips], describe: Callable[[RealClips], str]) -> str:
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
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return 'not installed'
