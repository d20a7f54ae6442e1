"""Probes: short tests that the installation really works."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from mmkd_video.cli.doctor.check_result import CheckResult
from mmkd_video.compat import safe_load
from mmkd_video.core.mistakes import name_of_kind


def import_mmaction() -> str:
    """Import MMAction2's models and data sets and return how many models are registered."""
    import mmaction.datasets
    import mmaction.models  # noqa: F401
    from mmaction.registry import MODELS

    return f'{len(MODELS)} models registered'


def resolve_base_config() -> str:
    """Resolve one of MMAction2's base configs by its ``mmaction::`` name."""
    from mmengine.config import Config

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'probe.py'
        path.write_text("_base_ = 'mmaction::_base_/models/tsn_r50.py'\n")
        return Config.fromfile(path).model.type


def read_checkpoint() -> str:
    """Write and read back a checkpoint with everything that MMEngine puts into one."""
    import numpy as np
    import torch
    from mmengine.logging.history_buffer import HistoryBuffer

    buffer = HistoryBuffer()
    buffer.update(1.0)
    saved = {'weight': torch.ones(1), 'log': buffer, 'scalar': np.float64(1), 'array': np.arange(2)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'probe.pth'
        torch.save(saved, path)
        loaded = safe_load.load(path)
    return f'{len(loaded)} kinds of content read'


def decode_video() -> str:
    """Encode eight frames with OpenCV and decode them with decord."""
    import cv2
    import decord
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / 'probe.mp4')
        writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*'mp4v'), 12, (64, 64))
        for value in range(0, 256, 32):
            writer.write(np.full((64, 64, 3), value, dtype=np.uint8))
        writer.release()
        reader = decord.VideoReader(path, num_threads=1)
        frames = reader.get_batch(list(range(len(reader)))).asnumpy()
    if frames.shape != (8, 64, 64, 3):
        raise RuntimeError(f'decoded frames of shape {frames.shape}, expected (8, 64, 64, 3)')
    return f'{len(frames)} frames decoded'


AGAIN = 'pip install --force-reinstall --no-deps'
PROBES: tuple[tuple[str, Callable[[], str], str], ...] = (
    ('import mmaction.models', import_mmaction, f"{AGAIN} 'mmaction2>=1.2.0,<1.3'"),
    ('resolve mmaction:: config', resolve_base_config, f"{AGAIN} 'mmaction2>=1.2.0,<1.3' 'mmengine>=0.10.4,<0.11'"),
    ('read a checkpoint', read_checkpoint, f"{AGAIN} 'mmengine>=0.10.4,<0.11'"),
    ('write and decode a video', decode_video, f"{AGAIN} 'decord>=0.6.0' opencv-python opencv-contrib-python"),
)


def run_probes() -> list[CheckResult]:
    """Run every probe; one that fails gives its error and the command that most likely fixes it."""
    results = []
    for subject, probe, remedy in PROBES:
        try:
            results.append(CheckResult(subject, probe(), '', 'ok'))
        except Exception as error:
            problem = f'{name_of_kind(error)}: {error}'.splitlines()[0]
            results.append(CheckResult(subject, problem, 'works', 'act', remedy))
    return results
