"""Memory of one model in one runtime, in a process of its own (``python -m`` this module)."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

import mmkd_video  # noqa: F401  the stack must be mended before a model is built
from mmkd_video.benchmark import peak_memory, restart_peak
from mmkd_video.core.mistakes import WorkFailedError
from mmkd_video.export import export_backends
from mmkd_video.workflows.measure.deploy_candidates import Candidate
from mmkd_video.workflows.measure.deploy_runtimes import all_runtimes
from mmkd_video.workflows.measure.exported_file import ExportedFile
from mmkd_video.workflows.measure.training_memory import EXACT_PEAKS

RUNS = 3


def measure_file(file: ExportedFile, threads: int, shape: Sequence[int]) -> int:
    """Start a process that opens a file and runs it; return the bytes that this took beyond the libraries.

    Args:
        file: The file.
        threads: Number of CPU threads.
        shape: Shape of a batch.

    Raises:
        RuntimeError: The process failed; carries the end of what it said.
    """
    backend = file.backend  # its module registers it there too
    job = dict(module=backend.__module__, backend=backend.backend, file=str(file.path), precision=file.precision)
    return _measured(file.path, dict(job, threads=threads, shape=[*shape]))


def measure_deployment(candidate: Candidate, runtime: str, threads: int, shape: Sequence[int]) -> int:
    """Start a process that opens a model in PyTorch and runs it; return the bytes that this took.

    Args:
        candidate: The model.
        runtime: Name of the runtime, of which no file is written.
        threads: Number of CPU threads.
        shape: Shape of a batch.

    Raises:
        RuntimeError: The process failed; carries the end of what it said.
    """
    job = dict(runtime=runtime, config=candidate.config, checkpoint=candidate.checkpoint)
    return _measured(runtime, dict(job, threads=threads, shape=[*shape]))


def _measured(name: object, job: Mapping) -> int:
    done = subprocess.run(
        [sys.executable, '-m', 'mmkd_video.workflows.measure.deployment_memory', json.dumps(job)],
        env={**os.environ, **EXACT_PEAKS},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise WorkFailedError(f'measuring the memory of {str(name)!r} failed:\n{done.stderr[-2000:]}')
    return int(done.stdout.strip().splitlines()[-1])


def main(text: str) -> None:
    """Open, run and print the peak above what the libraries hold."""
    job = json.loads(text)
    torch.set_num_threads(job['threads'])
    clips = np.zeros(job['shape'], np.uint8)
    if 'file' in job:
        import_module(job['module'])
        file = ExportedFile(export_backends()[job['backend']], Path(job['file']), job['precision'])
        file.backend.load_libraries()
        start = restart_peak()
        model = file.open(job['threads'], len(clips))
    else:
        start = restart_peak()
        candidate = Candidate('', job['config'], job['checkpoint'])
        with tempfile.TemporaryDirectory() as folder:
            model, _ = all_runtimes()[job['runtime']].open(candidate, job['threads'], Path(folder), clips)
    for _ in range(RUNS):
        model(clips)
    print(peak_memory() - start)


if __name__ == '__main__':
    main(sys.argv[1])
