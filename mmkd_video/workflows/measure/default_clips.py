"""Clips for benchmarks that were given no data of their own."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmkd_video.datasets import render_motion_clips

CLIPS = 'data/motion_clips'
FEW = 16


@contextmanager
def default_clips(count: int | None = None) -> Iterator[str]:
    """Give the folder of the embedded clips or, where they were not rendered yet, one with a few of them for this run.

    Args:
        count: Number of training clips to render.
    """
    if Path(CLIPS, 'manifest.json').exists():
        yield CLIPS
        return
    with tempfile.TemporaryDirectory() as folder:
        render_motion_clips(folder, num_clips=dict(train=count or FEW), workers=1)
        yield folder
