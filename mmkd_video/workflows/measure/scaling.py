"""What a process of a distillation sends in a step, with more and more processes of the same batch (weak scaling)."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext

import torch

import mmkd_video
from mmkd_video.benchmark import Report, Row
from mmkd_video.core.mistakes import WorkFailedError
from mmkd_video.workflows.measure.default_clips import default_clips
from mmkd_video.workflows.measure.pair import FEATURES, LOGITS
from mmkd_video.workflows.measure.training_memory import PLAIN

VARIANTS = {PLAIN: 'student alone', LOGITS: 'distilled, logits', FEATURES: 'distilled, feature terms'}
MOST = 1.001  # bytes of a distillation on logits over those of the student alone: the few of its meetings
TIMEOUT = 1800


def benchmark_scaling(
    config: str | None = None,
    *,
    features: Sequence[str] = (),
    processes: Sequence[int] = (2, 4, 8),
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Measure the bytes that a process sends in a training step, with gloo on this machine.

    Args:
        config: Path of a distillation config; None for the default pair on the embedded clips.
        features: ``student tap:teacher tap`` of FitNet terms, instead of the config's feature terms.
        processes: Numbers of processes; each has a whole batch of its own.
        batch_size: Number of clips in a batch; the config's by default.
        progress: Function that is called with (trainings done, trainings in all).

    Raises:
        ValueError: The config is no distillation that can be taken apart.
        RuntimeError: A process failed, or this system does not count what connections send.
    """
    done, found = 0, {}
    with default_clips(batch_size) if config is None else nullcontext('') as clips:
        pair = dict(config=config, clips=clips, batch_size=batch_size, features=list(features))
        for number in processes:
            for variant in VARIANTS:
                found[variant, number] = train_together(dict(pair=pair, variant=variant, threads=1), number)
                done += 1
                if progress is not None:
                    progress(done, len(processes) * len(VARIANTS))
    report = Report(f'Bytes that a process sends in a step: {config or "the default pair"}')
    report.rows += scaling_rows(found, processes)
    report.facts |= facts(found, processes)
    report.raw = dict(ranks={f'{name}, {number}': each for (name, number), each in found.items()})
    return report


def scaling_rows(found: Mapping[tuple[str, int], list[dict]], processes: Sequence[int]) -> list[Row]:
    """Return the bytes by number of processes, and the ratios to the student alone.

    Args:
        found: Measurements of each rank, by variant and number of processes.
        processes: Numbers of processes.
    """
    mean = {key: sum(rank['sent'] for rank in ranks) / len(ranks) for key, ranks in found.items()}
    rows = [
        Row(f'{label}, {number} processes', mean[variant, number], 'bytes')
        for variant, label in VARIANTS.items()
        for number in processes
    ]
    for number in processes:
        ratio = mean[LOGITS, number] / mean[PLAIN, number]
        name = f'{VARIANTS[LOGITS]} / {VARIANTS[PLAIN]}, {number} processes'
        rows.append(Row(name, ratio, 'ratio', target=MOST))
    return rows


def facts(found: Mapping[tuple[str, int], list[dict]], processes: Sequence[int]) -> dict[str, str]:
    """Return what was measured.

    Args:
        found: Measurements of each rank, by variant and number of processes.
        processes: Numbers of processes.
    """
    first = {variant: found[variant, processes[0]][0] for variant in VARIANTS}
    gradients = ', '.join(f'{VARIANTS[name]} {each["trained"] / 1e6:.2f} MB' for name, each in first.items())
    return {
        'measured': "bytes of all TCP connections of a process that were received by the others, a step's mean over "
        'all processes; gloo on one machine, each process with a whole batch',
        'gradients of a step': gradients,
        'teacher': f'{first[LOGITS]["frozen"] / 1e6:.2f} MB, which every process has and none sends',
        'a ring of N': '2 (N - 1) / N times the gradients, whatever N at most twice as many',
        'versions': f'mmkd_video {mmkd_video.__version__}, torch {torch.__version__}',
    }


def train_together(job: Mapping, number: int) -> list[dict]:
    """Start the processes of one training and return what each measured.

    Args:
        job: Job as ``measure_sent_bytes`` takes it.
        number: Number of processes.

    Raises:
        RuntimeError: One failed; carries the end of what it said.
    """
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        place = dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(taken.getsockname()[1]), WORLD_SIZE=str(number))
    command = [sys.executable, '-m', 'mmkd_video.workflows.measure.sent_bytes', json.dumps(dict(job))]
    with tempfile.TemporaryDirectory() as folder:
        ranks = []
        try:
            for rank in range(number):
                environment = {**os.environ, **place, 'RANK': str(rank), 'LOCAL_RANK': str(rank)}
                with open(os.path.join(folder, f'{rank}'), 'wb') as said:
                    ranks.append(subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT))
            codes = [rank.wait(TIMEOUT) for rank in ranks]
        except subprocess.TimeoutExpired:
            raise WorkFailedError(f'{number} processes did not end within {TIMEOUT} s') from None
        finally:
            for rank in ranks:
                rank.kill()
                rank.wait()
        said = [_read(os.path.join(folder, f'{rank}')) for rank in range(number)]
    for rank, (code, text) in enumerate(zip(codes, said, strict=True)):
        if code:
            raise WorkFailedError(f'rank {rank} of {number} ({job["variant"]}) failed:\n{text[-2000:]}')
    return [json.loads(text.strip().splitlines()[-1]) for text in said]


def _read(path: str) -> str:
    with open(path, encoding='utf-8', errors='replace') as file:
        return file.read()
