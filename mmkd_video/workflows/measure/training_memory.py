"""Peak memory of one training, measured in a process of its own (``python -m`` this module)."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping

import torch

import mmkd_video  # noqa: F401  the stack must be mended before a model is built
from mmkd_video.benchmark import peak_memory
from mmkd_video.core.mistakes import WorkFailedError
from mmkd_video.hooks.freeze_hook import freeze
from mmkd_video.workflows.measure.pair import BenchmarkPair

STEPS = 3
PLAIN = 'student'
# glibc keeps freed tensors below a threshold that grows as it goes; fixed, memory that is freed is given back, and
# the peak is what was needed rather than what the allocator had kept.
EXACT_PEAKS = dict(MALLOC_MMAP_THRESHOLD_='65536', MALLOC_TRIM_THRESHOLD_='131072', MALLOC_ARENA_MAX='1')


def measure_training(job: Mapping) -> int:
    """Start a process that trains a few steps, and return its peak memory in bytes.

    Args:
        job: ``pair`` (arguments of ``BenchmarkPair.load``), ``variant`` (``'student'``, ``'logits'``, ``'features'``),
            ``device`` and ``threads``; ``frozen``, names of modules that are frozen, may be left out.

    Raises:
        RuntimeError: The process failed; carries the end of what it said.
    """
    done = subprocess.run(
        [sys.executable, '-m', 'mmkd_video.workflows.measure.training_memory', json.dumps(dict(job))],
        env={**os.environ, **EXACT_PEAKS},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise WorkFailedError(f'measuring the memory of {job["variant"]!r} failed:\n{done.stderr[-2000:]}')
    return int(done.stdout.strip().splitlines()[-1])


def main(text: str) -> None:
    """Train and print the peak."""
    job = json.loads(text)
    torch.set_num_threads(job['threads'])
    pair, device, alone = BenchmarkPair.load(**job['pair']), job['device'], job['variant'] == PLAIN
    batch = pair.batch(views=not alone)
    model = pair.plain(device) if alone else pair.distiller(job['variant'], device)
    wrapper = pair.wrap(model)
    freeze(getattr(model, 'student', model), job.get('frozen', ()))
    step = pair.training_step(model, wrapper, batch)
    for _ in range(STEPS):
        step()
    print(peak_memory(device))


if __name__ == '__main__':
    main(sys.argv[1])
