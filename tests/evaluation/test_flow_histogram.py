"""Histograms of optical flow tell directions."""

import cv2
import numpy as np
import pytest

from mmkd_video.evaluation import flow_histogram
from mmkd_video.evaluation.flow_histogram import CELLS, ORIENTATIONS, SEGMENTS


def write_moving(path, steps, frames=7):
    """Write a texture that moves by ``steps`` pixels (x, y) a frame."""
    noise = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(200, 200)), (0, 0), 3)
    texture = cv2.cvtColor(cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 12, (96, 80))
    for t in range(frames):
        x, y = 50 - steps[0] * t, 50 - steps[1] * t
        writer.write(np.ascontiguousarray(texture[y : y + 80, x : x + 96]))
    writer.release()
    return path


@pytest.mark.parametrize(('steps', 'direction'), [((2, 0), 0), ((0, 2), 2), ((-2, 0), 4), ((0, -2), 6)])
def test_the_direction_of_a_moving_texture_is_the_fullest_in_every_segment(tmp_path, steps, direction):
    found = flow_histogram(write_moving(tmp_path / 'moving.mp4', steps))
    assert found.shape == (SEGMENTS * CELLS[0] * CELLS[1] * ORIENTATIONS,)
    by_direction = (found**2).reshape(SEGMENTS, -1, ORIENTATIONS).sum(1)
    assert (by_direction.argmax(1) == direction).all()
    assert by_direction.sum() == pytest.approx(SEGMENTS * 2, rel=0.3)  # two pixels a frame


def test_a_single_frame_does_not_move(tmp_path):
    found = flow_histogram(write_moving(tmp_path / 'still.mp4', (2, 0), frames=1))
    assert (found**2).sum() < 0.01 * SEGMENTS  # pixels a frame; Farneback's flow is not quite zero at the borders


def test_a_file_that_is_no_video_is_named(tmp_path):
    (tmp_path / 'bad.mp4').write_bytes(b'no video')
    with pytest.raises(ValueError, match='bad.mp4 cannot be read as a video'):
        flow_histogram(tmp_path / 'bad.mp4')
