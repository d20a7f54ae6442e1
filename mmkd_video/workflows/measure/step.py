"""What distillation costs in a training step: time, memory, checkpoints and decoding."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from types import SimpleNamespace

import torch
from mmengine.optim import OptimWrapper
from mmengine.runner.checkpoint import get_state_dict
from torch import nn

import mmkd_video
from mmkd_video.benchmark import (
    CallCounter,
    LoadWatch,
    Report,
    Row,
    Timings,
    file_bytes,
    measure_interleaved,
    median_interval,
    paired_ratios,
    tensor_bytes,
)
from mmkd_video.hooks import DistillHook
from mmkd_video.recognizers.plain_student import named_teachers
from mmkd_video.workflows.measure.default_clips import default_clips
from mmkd_video.workflows.measure.pair import FEATURES, LOGITS, BenchmarkPair
from mmkd_video.workflows.measure.rounds import StepSettings, measured_facts
from mmkd_video.workflows.measure.training_memory import PLAIN, measure_training

STUDENT_STEP, TEACHER = 'student step', 'teacher forward'
TIME_TARGETS = {LOGITS: 1.02, FEATURES: 1.05}
MEMORY_TARGET = 1.1  # times the teacher's weights


def benchmark_step(
    config: str | None = None,
    *,
    features: Sequence[str] = (),
    batch_size: int | None = None,
    settings: StepSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Measure a training step.

    Args:
        config: Path of a distillation config; None for the default pair on the embedded clips.
        features: ``student tap:teacher tap`` of FitNet terms, instead of the config's feature terms.
        batch_size: Number of clips in a batch; the config's by default.
        settings: Numbers of rounds and threads, and the device; the defaults of :class:`StepSettings` if left out.
        progress: Function that is called with (rounds done, rounds in all).

    Raises:
        ValueError: The config is no distillation that can be taken apart.
        RuntimeError: A process that measures memory failed.
    """
    settings = settings or StepSettings()
    with default_clips(batch_size) if config is None else nullcontext('') as clips:
        given = dict(config=config, clips=clips, batch_size=batch_size, features=list(features))
        return _benchmark_pair(given, settings, progress)


def _benchmark_pair(given: dict, settings: StepSettings, progress: Callable[[int, int], None] | None) -> Report:
    pair = BenchmarkPair.load(**given)
    threads, device = torch.get_num_threads(), settings.device
    torch.set_num_threads(settings.threads)
    try:
        report = Report(f'A training step on {device}: {_names(pair)}')
        decoded = measure_decoding(pair)
        batch = pair.batch()
        models = {PLAIN: pair.plain(device)}
        models |= {kind: pair.distiller(kind, device) for kind in (LOGITS, FEATURES)}
        wrappers = {name: pair.wrap(model) for name, model in models.items()}
        steps = {name: pair.training_step(model, wrappers[name], batch) for name, model in models.items()}
        variants = {STUDENT_STEP: steps[PLAIN], TEACHER: pair.teacher_forward(models[LOGITS], batch)}
        variants |= {kind: steps[kind] for kind in (LOGITS, FEATURES)}
        labels, watch = _labels(pair), LoadWatch()
        rounds = settings.rounds_until(lambda timings: all(row.settled for row in time_rows(timings, labels, device)))
        timings = measure_interleaved(variants, rounds, watch, device, progress)
    finally:
        torch.set_num_threads(threads)
    parts = [part for teacher in models[LOGITS].teachers.values() for part in teacher.parts.values()]
    weights = sum(tensor_bytes(part.module.state_dict()) for part in parts)
    report.facts |= _facts(pair, settings, models[PLAIN], weights)
    report.facts |= measured_facts(timings, watch, device)
    report.rows += time_rows(timings, labels, device)
    peaks = {}
    for name in models if settings.memory_runs else ():
        job = dict(pair=given, variant=name, device=device, threads=settings.threads)
        peaks[name] = [measure_training(job) for _ in range(settings.memory_runs)]
    trained = _training_state_bytes(models[FEATURES], wrappers[FEATURES])
    report.rows += memory_rows(peaks, weights, trained, labels) if peaks else []
    report.rows += size_rows(models, wrappers, labels) + decoded
    report.raw = dict(seconds={name: vars(each) for name, each in timings.items()}, peak_bytes=peaks)
    return report


def time_rows(timings: Mapping[str, Timings], labels: Mapping[str, str], device: str) -> list[Row]:
    """Return the medians, and the ratios of a distillation step to its parts, round by round.

    Args:
        timings: Timings by variant; wall times beside other load are left out.
        labels: Names of the variants in the table.
        device: Device on which it ran; of a GPU there is only wall time.
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
        peaks: Bytes by variant, one number for each process.
        weights: Bytes of the teachers' weights.
        trained: Bytes of the feature terms' connectors, their gradients and optimizer state; told apart, as they are
            the objective's and not the teacher's.
        labels: Names of the variants in the table.
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


def _labels(pair: BenchmarkPair) -> dict[str, str]:
    count = len(pair.feature_terms)
    return {
        PLAIN: STUDENT_STEP,
        LOGITS: 'distillation step, logits',
        FEATURES: f'distillation step, {count} feature term{"s" * (count != 1)}',
    }


def _names(pair: BenchmarkPair) -> str:
    student = pair.student['backbone']['type']
    teachers = named_teachers(pair.teacher).values()
    known = [each.get('config') or each['type'] for each in teachers]
    names = ', '.join(each if isinstance(each, str) else each['backbone']['type'] for each in known)
    return f'{names} teaches {student}'


def _facts(pair: BenchmarkPair, settings: StepSettings, student: nn.Module, weights: int) -> dict[str, str]:
    terms = [f'{term["type"]} at {term["at"]}' for term in pair.feature_terms]
    where = torch.cuda.get_device_name() if settings.on_gpu else f'{settings.threads} CPU thread(s)'
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
