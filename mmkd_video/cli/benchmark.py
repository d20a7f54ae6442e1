"""The code behind ``tools/benchmark.py``: what distillation costs, and how fast its results run."""

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import torch
from mmengine.optim import OptimWrapper
from mmengine.runner.checkpoint import get_state_dict
from torch import nn

import mmkd_video
from dev.generated_section import update_section
from mmkd_video.benchmark import (
    CallCounter,
    DeploymentReport,
    LoadWatch,
    Report,
    Rounds,
    Row,
    Timings,
    file_bytes,
    measure_interleaved,
    median_interval,
    paired_ratios,
    tensor_bytes,
)
from mmkd_video.cli.arguments import checked_numbers
from mmkd_video.cli.benchmark_deploy import add_deploy
from mmkd_video.cli.benchmark_losses import benchmark_losses, write_costs
from mmkd_video.cli.benchmark_outputs import add_outputs, expect_new_outputs
from mmkd_video.cli.benchmark_rounds import FEWEST, add_max_rounds, measured_facts, most_rounds
from mmkd_video.cli.benchmark_stream import add_stream
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.datasets import render_motion_clips
from mmkd_video.hooks import DistillHook
from mmkd_video.workflows.measure.loss_costs import LossCosts
from mmkd_video.workflows.measure.pair import FEATURES, LOGITS, BenchmarkPair
from mmkd_video.workflows.measure.training_memory import PLAIN, measure_apart

CLIPS = 'data/motion_clips'
STUDENT_STEP, TEACHER = 'student step', 'teacher forward'
TIME_TARGETS = {LOGITS: 1.02, FEATURES: 1.05}
MEMORY_TARGET = 1.1  # times the teacher's weights


def main(arguments: Sequence[str] | None = None) -> Report | LossCosts | DeploymentReport:
    """Measure as the command line says, print the table, save it, and return it."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    command = shlex.join(['python', 'tools/benchmark.py', *(sys.argv[1:] if arguments is None else arguments)])
    with exit_on_error(parser):
        expect_new_outputs(options)
        with _clips(options) as clips:
            report = options.measure(options, clips)
        report.facts['command'] = f'`{command.replace(" --update-docs", "").replace(" --force", "")}`'
        write_atomically((json.dumps(report.as_dict(), indent=1) + '\n').encode(), options.out)
        print(report.as_markdown() if options.markdown else report.as_text())
        print(f'\nsaved in {options.out}')
        if options.update_docs:
            update_section(options.update_docs, f'benchmark {_kind(options)}', report.as_markdown())
            _record(report, options)
    return report


def _record(report: Report | LossCosts | DeploymentReport, options: argparse.Namespace) -> None:
    """Write the numbers of a page, from which ``dev/report.py`` writes it again."""
    if isinstance(report, LossCosts):
        write_costs(report)
    else:
        shown = {key: value for key, value in report.as_dict().items() if key != 'raw'}
        path = Path(options.update_docs).with_name(f'{_kind(options).replace(" ", "_")}.json')
        write_atomically((json.dumps(shown, indent=1) + '\n').encode(), path)


def _kind(options: argparse.Namespace) -> str:
    """Return the name of the section that a benchmark writes."""
    return 'random weights' if getattr(options, 'random_weights', False) else options.what


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog='benchmark.py', description='Measure what distillation costs and what it buys.', epilog=EXITS
    )
    kinds = parser.add_subparsers(dest='what', required=True)
    step = kinds.add_parser('step', help='time, memory, checkpoint and decoding of a training step')
    step.set_defaults(measure=_measure_step)
    step.add_argument('config', nargs='?', help='a distillation config; by default I3D-R50 to TSM-MobileNetV2')
    step.add_argument(
        '--features',
        nargs='+',
        default=[],
        metavar='STUDENT_TAP:TEACHER_TAP',
        help="FitNet terms instead of the config's feature terms",
    )
    losses = kinds.add_parser('losses', help='time and memory of a training step with each loss, beside KDLoss')
    losses.set_defaults(measure=_measure_losses)
    losses.add_argument('configs', nargs='*', help='distillation configs of one pair; by default all of configs/losses')
    losses.add_argument('--baseline', default='configs/losses/kd.py', help='what they are compared with')
    add_deploy(kinds)
    add_stream(kinds)
    for kind, warmup, memory_runs in ((step, 3, 3), (losses, 6, 1)):
        kind.add_argument('--pairs', type=int, default=FEWEST, help='measured rounds; each holds every variant once')
        add_max_rounds(kind)
        kind.add_argument('--warmup', type=int, default=warmup, help='rounds before that')
        kind.add_argument('--batch-size', type=int, help="instead of the config's")
        kind.add_argument('--threads', type=int, default=1, help="PyTorch's; with one, CPU time counts only work")
        kind.add_argument('--device', default='cpu', help='cpu or cuda')
        kind.add_argument('--memory-runs', type=int, default=memory_runs, help='processes per variant; 0: no memory')
        add_outputs(kind, kind.prog.split()[-1])
    return checked_numbers(parser)


def benchmark_step(given: dict, options: argparse.Namespace) -> Report:
    """Measure a training step.

    Args:
        given: Arguments of ``BenchmarkPair.load``.
        options: Of :func:`build_parser`.

    Raises:
        ValueError: The config is no distillation that can be taken apart.
        RuntimeError: A process that measures memory failed.
    """
    pair = BenchmarkPair.load(**given)
    threads = torch.get_num_threads()
    torch.set_num_threads(options.threads)
    try:
        report = Report(f'A training step on {options.device}: {_names(pair)}')
        decoded = measure_decoding(pair)
        batch = pair.batch()
        models = {PLAIN: pair.plain(options.device)}
        models |= {kind: pair.distiller(kind, options.device) for kind in (LOGITS, FEATURES)}
        wrappers = {name: pair.wrap(model) for name, model in models.items()}
        steps = {name: pair.training_step(model, wrappers[name], batch) for name, model in models.items()}
        variants = {STUDENT_STEP: steps[PLAIN], TEACHER: pair.teacher_forward(models[LOGITS], batch)}
        variants |= {kind: steps[kind] for kind in (LOGITS, FEATURES)}
        labels, watch = _labels(pair), LoadWatch()
        rounds = Rounds(
            options.pairs,
            most_rounds(options, options.pairs),
            options.warmup,
            enough=lambda timings: all(row.settled for row in time_rows(timings, labels, options.device)),
        )
        timings = measure_interleaved(variants, rounds, watch, options.device, _show)
    finally:
        torch.set_num_threads(threads)
    weights = sum(tensor_bytes(teacher.module.state_dict()) for teacher in models[LOGITS].teachers.values())
    report.facts |= _facts(pair, options, models[PLAIN], weights)
    report.facts |= measured_facts(timings, watch, options.device)
    report.rows += time_rows(timings, labels, options.device)
    peaks = {}
    for name in models if options.memory_runs else ():
        job = dict(pair=given, variant=name, device=options.device, threads=options.threads)
        peaks[name] = [measure_apart(job) for _ in range(options.memory_runs)]
    trained = _training_state_bytes(models[FEATURES], wrappers[FEATURES])
    report.rows += memory_rows(peaks, weights, trained, labels) if peaks else []
    report.rows += size_rows(models, wrappers, labels) + decoded
    report.raw = dict(seconds={name: vars(each) for name, each in timings.items()}, peak_bytes=peaks)
    return report


def time_rows(timings: dict[str, Timings], labels: dict[str, str], device: str) -> list[Row]:
    """Return the medians, and the ratios of a distillation step to its parts, round by round.

    Args:
        timings: By variant; wall times beside other load are left out.
        labels: Of the variants.
        device: Where it ran; of a GPU there is only wall time.
    """
    clocks = ('wall',) if device.startswith('cuda') else ('cpu', 'wall')  # a GPU's work is not the process's
    named = {'cpu': 'CPU time', 'wall': 'wall time'}
    void = {'wall'} if any(each.disturbed for each in timings.values()) else set()
    rows = []
    for clock in clocks:
        for name, each in timings.items():
            interval = None if clock in void else median_interval(getattr(each, clock))
            rows.append(Row.of(f'{labels.get(name, name)}, {named[clock]}', 's', interval))
    for kind, target in TIME_TARGETS.items():
        for clock in clocks:
            whole, *parts = (getattr(timings[name], clock) for name in (kind, STUDENT_STEP, TEACHER))
            interval = None if clock in void else median_interval(paired_ratios(whole, *parts))
            name = f'{labels[kind]} / ({STUDENT_STEP} + {TEACHER}), {named[clock]}'
            rows.append(Row.of(name, 'ratio', interval, target))
    return rows


def memory_rows(peaks: dict[str, list[int]], weights: int, trained: int, labels: dict[str, str]) -> list[Row]:
    """Return the peaks, and what a distillation needs beyond the student's training, in teacher's weights.

    Args:
        peaks: Bytes by variant, one of each process.
        weights: Bytes of the teachers.
        trained: Bytes of the feature terms' connectors, their gradients and optimizer state; told apart, as they are
            the objective's and not the teacher's.
        labels: Of the variants.
    """
    found = {name: median_interval(values) for name, values in peaks.items()}
    rows = [Row(f'peak memory, {labels[name]}', each.median, 'bytes') for name, each in found.items()]
    for kind in (LOGITS, FEATURES):
        above = (found[kind].median - found[PLAIN].median) / weights
        rows.append(Row(f'memory above {STUDENT_STEP} / teacher weights, {kind}', above, 'ratio', None, MEMORY_TARGET))
    rows.append(Row('of which training of connectors, features', trained / weights, 'ratio'))
    return rows


def size_rows(models: dict[str, nn.Module], wrappers: dict, labels: dict[str, str]) -> list[Row]:
    """Return the sizes of what a runner would save, weights and whole file."""
    saved = {}
    for name, model in models.items():
        saved[name] = dict(state_dict=get_state_dict(model), optimizer=wrappers[name].state_dict())
        DistillHook().before_save_checkpoint(SimpleNamespace(model=model), saved[name])
    plain = tensor_bytes(saved[PLAIN]['state_dict'])
    rows = []
    for name, checkpoint in saved.items():
        target = None if name == PLAIN else plain
        size = tensor_bytes(checkpoint['state_dict'])
        rows.append(Row(f'state_dict, {labels[name]}', size, 'bytes', None, target, exact=True))
    return rows + [
        Row(f'whole checkpoint file, {labels[name]}', file_bytes(each), 'bytes') for name, each in saved.items()
    ]


def measure_decoding(pair: BenchmarkPair) -> list[Row]:
    """Count decord's calls and frames for one batch, alone and with the teachers' views."""
    import decord

    rows = []
    for name, views in ((STUDENT_STEP, False), ('distillation step', True)):
        with CallCounter(decord.VideoReader, 'get_batch') as counter:
            pair.batch(views)
        target = None if not views else 1.0
        rows.append(Row(f'decode calls per sample, {name}', counter.calls / pair.batch_size, 'count', None, target))
        rows.append(Row(f'frames decoded per sample, {name}', counter.items / pair.batch_size, 'count'))
    return rows


def _measure_step(options: argparse.Namespace, clips: str) -> Report:
    size, features = options.batch_size, options.features
    return benchmark_step(dict(config=options.config, clips=clips, batch_size=size, features=features), options)


def _measure_losses(options: argparse.Namespace, clips: str) -> LossCosts:
    return benchmark_losses(options, clips, _show)


def _labels(pair: BenchmarkPair) -> dict[str, str]:
    count = len(pair.feature_terms)
    return {
        PLAIN: STUDENT_STEP,
        LOGITS: 'distillation step, logits',
        FEATURES: f'distillation step, {count} feature term{"s" * (count != 1)}',
    }


def _names(pair: BenchmarkPair) -> str:
    student = pair.student['backbone']['type']
    teachers = [pair.teacher] if 'config' in pair.teacher else pair.teacher.values()
    configs = [each['config'] for each in teachers]
    return f'{", ".join(c if isinstance(c, str) else c["backbone"]["type"] for c in configs)} teaches {student}'


def _facts(pair: BenchmarkPair, options: argparse.Namespace, student: nn.Module, weights: int) -> dict[str, str]:
    terms = [f'{term["type"]} at {term["at"]}' for term in pair.feature_terms]
    where = torch.cuda.get_device_name() if options.device.startswith('cuda') else f'{options.threads} CPU thread(s)'
    return {
        'a step': f'batch of {pair.batch_size} decoded clips; {where}',
        'weights': f'student {tensor_bytes(student.state_dict()) / 1e6:.2f} MB, teacher {weights / 1e6:.2f} MB',
        'feature terms': '; '.join(terms),
        'versions': f'mmkd_video {mmkd_video.__version__}, torch {torch.__version__}',
    }


def _training_state_bytes(model: nn.Module, wrapper: OptimWrapper) -> int:
    parameters = list(model.training_state.parameters())
    held = [(each.data, each.grad, wrapper.optimizer.state[each]) for each in parameters]
    return tensor_bytes(held)


@contextmanager
def _clips(options: argparse.Namespace) -> Iterator[str]:
    """Give the folder of the embedded clips, or one with a few of them, rendered for this run."""
    given = (
        getattr(options, 'config', None) or getattr(options, 'configs', None) or options.what in ('deploy', 'stream')
    )
    if given or Path(CLIPS, 'manifest.json').exists():
        yield CLIPS
        return
    with tempfile.TemporaryDirectory() as folder:
        render_motion_clips(folder, num_clips=dict(train=options.batch_size or 16), workers=1)
        yield folder


def _show(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f'\rround {done}/{total}', end='\n' if done == total else '', file=sys.stderr)
    elif done % 5 == 0:
        print(f'round {done}/{total}', file=sys.stderr)
