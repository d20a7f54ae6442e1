"""The code behind ``tools/benchmark.py deploy``: latency, size and accuracy of models where they will run."""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

import mmkd_video
from mmkd_video.benchmark import (
    Deployment,
    DeploymentReport,
    Rounds,
    Row,
    SideBySide,
    describe_processor,
    draw_deployments,
    measure_interleaved,
)
from mmkd_video.cli.benchmark_deploy_memory import measure_deployment
from mmkd_video.cli.benchmark_outputs import add_outputs
from mmkd_video.cli.deploy_candidates import COMPILE, EAGER, EXPORTED, RUNTIMES, Candidate, Classify, file_size
from mmkd_video.cli.deploy_runtimes import choose_runtimes
from mmkd_video.cli.real_clips import RealClips, real_clips
from mmkd_video.export import load_exported

FOLDER = Path('work_dirs/benchmark/deploy')
EACH = 20  # clips of each caller where several work side by side
SETTLE = 10  # calls before a measured one, clip by clip: with one, a small model still ran at half its speed
RECOMPILE_LIMIT = 1000  # the models share their code, which is compiled for each of them

Line = tuple[str, str]
"""A model and what runs it: the two names that a line of the table begins with."""


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
        required=True,
        dest='models',
        help='a trained recognizer and its name in the table; may be repeated',
    )
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
    parser.add_argument('--rounds', type=int, default=30, help='each measures every model in every runtime once')
    parser.add_argument('--warmup', type=int, default=3, help='rounds before that')
    parser.add_argument('--batch-size', type=int, default=8, help='for the throughput')
    parser.add_argument('--clips', type=int, default=1000, help='of test, for the accuracy; 0: none')
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
    candidates = _candidates(options)
    files = _files(options, candidates)
    data = {
        name: real_clips(each.settings, max(options.clips, options.batch_size)) for name, each in candidates.items()
    }
    runtimes, left_out = choose_runtimes(options.runtimes)
    for runtime, reason in left_out.items():
        _say(f'{runtime} is left out: {reason}')
    options = argparse.Namespace(**{**vars(options), 'runtimes': runtimes})
    report = DeploymentReport('Models in their runtimes', [])
    threads_before = torch.get_num_threads()
    torch._dynamo.config.recompile_limit = RECOMPILE_LIMIT
    try:
        for threads in options.threads:
            torch.set_num_threads(threads)
            report.deployments += _measure(options, threads, candidates, files, data, report.deployments)
    finally:
        torch.set_num_threads(threads_before)
    report.facts = _facts(options, data, left_out)
    report.targets = list(_targets(options, report))
    if any(each.accuracy is not None for each in report.deployments):
        print(f'picture: {draw_deployments(report, options.picture)}')
    return report


def _measure(
    options: argparse.Namespace,
    threads: int,
    candidates: Mapping[str, Candidate],
    files: Mapping[str, tuple[str, Path]],
    data: Mapping[str, RealClips],
    known: Sequence[Deployment],
) -> list[Deployment]:
    """Measure everything with one number of threads; what does not depend on it is taken from ``known``."""
    sources = _sources(candidates, files)
    timed = {}
    for size, settle in ((1, SETTLE), (options.batch_size, 2)):
        clips = {name: _batch(data[name], size) for name in data}
        opened = _open(options.runtimes, threads, candidates, files, clips, FOLDER)
        variants = {key: partial(call, _batch(data[sources[key[0]]], size)) for key, (call, _) in opened.items()}
        _say(f'measuring batches of {size}, {threads} thread(s)')
        timed[size] = measure_interleaved(variants, Rounds(options.rounds, warmup=options.warmup), settle=settle)
    side_by_side = {}
    if threads > 1:
        side_by_side = _measure_side_by_side(options, opened, threads, candidates, files, data)
    complexities = {name: each.complexity(data[name].clips[0]) for name, each in candidates.items()}
    found = []
    for key, (call, size) in opened.items():
        source, earlier = sources[key[0]], [each for each in known if (each.model, each.runtime) == key]
        params, gflops = complexities[source]
        each = Deployment(
            *key,
            threads=threads,
            latencies=timed[1][key].wall,
            throughputs=[options.batch_size / seconds for seconds in timed[options.batch_size][key].wall],
            file_bytes=size,
            params=params,
            gflops=gflops,
            side_by_side=side_by_side.get(key, []),
        )
        each.accuracy = earlier[0].accuracy if earlier else _accuracy(options, call, data[source], each, found)
        each.memory = None if options.no_memory else _memory(key, threads, candidates, files, data[source])
        found.append(each)
    return found


def _measure_side_by_side(
    options: argparse.Namespace,
    lines: Iterable[Line],
    callers: int,
    candidates: Mapping[str, Candidate],
    files: Mapping[str, tuple[str, Path]],
    data: Mapping[str, RealClips],
) -> dict[Line, list[float]]:
    """Return single clips a second, by line, of several processes with one thread each."""
    _say(f'measuring {callers} clips side by side')
    clips = {name: _batch(data[name], 1) for name in data}
    fresh = {name: replace(each) for name, each in candidates.items()}  # without the weights that are loaded already
    with SideBySide(callers, EACH, partial(_open_calls, options.runtimes, fresh, files, clips, FOLDER)) as side_by_side:
        variants = {line: partial(side_by_side.run, line) for line in lines}
        timed = measure_interleaved(variants, Rounds(options.rounds, warmup=options.warmup), settle=1)
    return {line: [side_by_side.calls / seconds for seconds in each.wall] for line, each in timed.items()}


def _open_calls(
    runtimes: Sequence[str],
    candidates: Mapping[str, Candidate],
    files: Mapping[str, tuple[str, Path]],
    clips: Mapping[str, np.ndarray],
    folder: Path,
) -> dict[Line, Callable[[], np.ndarray]]:
    """Return what runs a clip on one thread, by line; for a process of its own."""
    torch._dynamo.config.recompile_limit = RECOMPILE_LIMIT
    opened = _open(runtimes, 1, candidates, files, clips, folder)
    sources = _sources(candidates, files)
    return {line: partial(call, clips[sources[line[0]]]) for line, (call, _) in opened.items()}


def _open(
    runtimes: Sequence[str],
    threads: int,
    candidates: Mapping[str, Candidate],
    files: Mapping[str, tuple[str, Path]],
    clips: Mapping[str, np.ndarray],
    folder: Path,
) -> dict[Line, tuple[Classify, int]]:
    """Open everything for batches of one size; return what classifies, and the bytes of its file, by line."""
    opened: dict[Line, tuple[Classify, int]] = {}
    for name, candidate in candidates.items():
        for runtime in runtimes:
            opened[name, runtime] = candidate.open(runtime, threads, folder, clips[name])
    for name, (of, path) in files.items():
        model = load_exported(path, threads=threads, batch=len(clips[of]))
        opened[name, f'{model.backend} {model.precision}'.replace(' f32', '')] = model, file_size(path)
    return opened


def _accuracy(
    options: argparse.Namespace, call: Classify, data: RealClips, each: Deployment, found: Sequence[Deployment]
) -> float | None:
    """Return top-1 on the clips of test that have a label; the compiled model is the eager one, not asked again."""
    if not options.clips:
        return None
    if each.runtime == COMPILE:
        eager = [other.accuracy for other in found if (other.model, other.runtime) == (each.model, EAGER)]
        if eager:
            return eager[0]
    _say(f'accuracy of {each.model} in {each.runtime}')
    labelled = [(clip, label) for clip, label in zip(data.clips, data.labels, strict=True) if label >= 0]
    size, right = options.batch_size, 0
    for start in range(0, len(labelled), size):
        clips, labels = zip(*labelled[start : start + size], strict=True)
        padded = [*clips, *clips[:1] * (size - len(clips))]  # batches are fixed
        right += int((call(np.stack(padded)).argmax(1)[: len(clips)] == np.array(labels)).sum())
    return right / len(labelled) if labelled else None


def _memory(
    key: tuple[str, str],
    threads: int,
    candidates: Mapping[str, Candidate],
    files: Mapping[str, tuple[str, Path]],
    data: RealClips,
) -> int:
    name, runtime = key
    shape = [1, *data.clips[0].shape]
    job = dict(runtime=runtime, threads=threads, shape=shape, file=None, config=None, checkpoint=None)
    if name in files:
        job['file'] = str(files[name][1])
    elif runtime in EXPORTED:
        job['file'] = str(candidates[name].exported(EXPORTED[runtime][0], FOLDER, _batch(data, 1)))
    else:
        job |= dict(config=candidates[name].config, checkpoint=candidates[name].checkpoint)
    return measure_deployment(job)


def _sources(candidates: Mapping[str, Candidate], files: Mapping[str, tuple[str, Path]]) -> dict[str, str]:
    """Return the model whose clips each model and each file takes."""
    return {name: name for name in candidates} | {name: of for name, (of, _) in files.items()}


def _batch(data: RealClips, size: int) -> np.ndarray:
    return np.stack([data.clips[index % len(data.clips)] for index in range(size)])


def _candidates(options: argparse.Namespace) -> dict[str, Candidate]:
    names = [name for name, *_ in (*options.models, *options.files)]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f'the name {sorted(twice)[0]!r} is given twice; every --model and --file needs its own')
    for _, _, checkpoint in options.models:
        if not Path(checkpoint).is_file():
            raise FileNotFoundError(f'checkpoint {checkpoint!r} does not exist')
    return {name: Candidate(name, config, checkpoint) for name, config, checkpoint in options.models}


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
        for each in report.deployments:
            if (each.model, each.runtime) == (last.model, last.runtime):
                threads, latency = f'{each.threads} thread(s) each', report.baseline(each.threads).latency
                target = 1 / options.target_speedup
                yield Row(f'clips/s of {one} / {other}, {threads}', 1 / report.speedup(each), 'ratio', None, target)
                yield Row(f'latency of {other} / {one}, {threads}', each.latency / latency, 'ratio')
    reference = next((each for each in report.deployments if each.model == options.reference), None)
    if reference is not None and None not in (reference.accuracy, last.accuracy):
        drop = (reference.accuracy - last.accuracy) * 100
        yield Row(f'points of {last.model} below {options.reference}', drop, 'count', None, options.target_drop)


def _facts(options: argparse.Namespace, data: Mapping[str, RealClips], left_out: Mapping[str, str]) -> dict[str, str]:
    versions = [f'mmkd_video {mmkd_video.__version__}', f'torch {torch.__version__}']
    for package in ('onnxruntime', 'openvino'):
        if any(runtime.startswith(package) for runtime in options.runtimes) or options.files:
            versions.append(f'{package} {_version(package)}')
    facts = {
        'measured': f'{options.rounds} interleaved rounds in random order after {options.warmup} to warm up; latency: '
        f'one clip, after {SETTLE} of the same model, as in a stream; clips/s and x: single clips, one after the other '
        'on all threads or, where that is more, in as many processes at once as there are threads, each on one '
        f'({EACH} in each); batched/s: batches of {options.batch_size}; batches are fixed',
        'a clip': 'what the test pipeline of a model takes of a video, so that x compares videos, not frames; frames x '
        f'height x width: {_each(data, _clip_size)}',
        'processor': describe_processor(),
        'accuracy': f'top-1 on {_each(data, _labelled)} clips of test' if options.clips else 'not measured',
        'versions': ', '.join(versions),
    }
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


def _say(what: str) -> None:
    print(what, flush=True)
