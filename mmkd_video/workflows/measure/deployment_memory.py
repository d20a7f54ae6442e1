"""Memory of one model in one runtime, in a process of its own (``python -m`` this module)."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

import mmkd_video  # noqa: F401  the stack must be mended before a model is built
from mmkd_video.benchmark import peak_memory, restart_peak
from mmkd_video.core.mistakes import WorkFailedError
from mmkd_video.export import backend_of_file, load_exported
from mmkd_video.workflows.measure.deploy_candidates import EXPORTED, Candidate
from mmkd_video.workflows.measure.training_memory import EXACT_PEAKS

RUNS = 3


def measure_deployment(job: Mapping) -> int:
    """Start a process that opens a model and runs it; return the bytes that this took beyond the libraries.

    Args:
        job: ``runtime``, ``threads``, ``shape`` of a batch; ``file``, or ``config`` and ``checkpoint``.

    Raises:
        RuntimeError: The process failed; carries the end of what it said.
    """
    done = subprocess.run(
        [sys.executable, '-m', 'mmkd_video.workflows.measure.deployment_memory', json.dumps(dict(job))],
        env={**os.environ, **EXACT_PEAKS},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise WorkFailedError(f'measuring the memory of {job["runtime"]!r} failed:\n{done.stderr[-2000:]}')
    return int(done.stdout.strip().splitlines()[-1])


def main(text: str) -> None:
    """Open, run and print the peak above what the libraries hold."""
    job = json.loads(text)
    torch.set_num_threads(job['threads'])
    clips = np.zeros(job['shape'], np.uint8)
    precision = EXPORTED[job['runtime']][1] if job['runtime'] in EXPORTED else None
    if job['file']:
        start = _loaded(Path(job['file']).suffix)
        model = load_exported(job['file'], threads=job['threads'], precision=precision, batch=len(clips))
    else:
        start = restart_peak()
        candidate = Candidate('', job['config'], job['checkpoint'])
        with tempfile.TemporaryDirectory() as folder:
            model, _ = candidate.open(job['runtime'], job['threads'], Path(folder), clips)
    for _ in range(RUNS):
        model(clips)
    print(peak_memory() - start)


def _loaded(suffix: str) -> int:
    """Load the libraries of a runtime, and begin to count."""
    backend_of_file(f'model{suffix}').load_libraries()
    return restart_peak()


if __name__ == '__main__':
    main(sys.argv[1])
