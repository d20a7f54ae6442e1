"""The 32 motions for few-shot learning, and that the eight are as they were."""

import hashlib

import numpy as np
import pytest
from decord import VideoReader

from mmkd_video.datasets import motion_clips, motion_pairs, render_motion_clips
from mmkd_video.datasets.motion_clips import clip_rng, draw_path
from mmkd_video.datasets.motion_pairs import CLASSES, directions_of


def test_classes_are_the_eight_and_all_pairs_of_two_degrees_of_freedom():
    assert len(CLASSES) == len(set(CLASSES)) == 32 and CLASSES[:8] == motion_clips.CLASSES
    assert 'left_and_up' in CLASSES and 'left_and_right' not in CLASSES
    assert len({tuple(directions_of(label)) for label in range(32)}) == 32
    assert directions_of(CLASSES.index('up_and_zoom_in')).tolist() == [0, -1, 0, 1]


def test_both_named_degrees_of_freedom_move_and_no_other():
    path = draw_path(directions_of(CLASSES.index('up_and_clockwise')), clip_rng(0, 'train', 3))
    steps = np.diff(path, axis=0)
    assert np.median(steps[:, 1]) < 0 < np.median(steps[:, 2])
    assert np.abs(steps[:, [0, 3]]).max() == 0


def test_late_poses_have_one_distribution_in_all_classes():
    labels = (0, 8, 20, 31)
    paths = [[draw_path(directions_of(k), clip_rng(1, 'val', i))[-1] for i in range(800)] for k in labels]
    poses = np.stack(paths)
    ordered = (np.sort(poses, axis=1) - poses.min((0, 1))) / np.ptp(poses, axis=(0, 1))
    assert np.ptp(ordered, axis=0).max() < 0.11


def test_the_eight_motions_are_pixel_by_pixel_what_they_were():
    digest = hashlib.sha256()
    for label in range(8):
        digest.update(np.round(motion_clips.draw_poses(label, clip_rng(0, 'train', label)), 9).tobytes())
    assert digest.hexdigest()[:16] == 'e35443b9abee2cdc'
    same = [source.render_clip('val', 3, clip_rng(0, 'val', 5)) for source in (motion_clips, motion_pairs)]
    assert np.array_equal(*same)


def test_a_folder_of_pairs_is_rendered_checked_and_told_from_the_eight(tmp_path):
    few = dict(train=33, val=1, test=1)
    assert render_motion_clips(tmp_path / 'pairs', num_clips=few, motions='pairs')
    assert not render_motion_clips(tmp_path / 'pairs', num_clips=few, motions='pairs')
    lines = (tmp_path / 'pairs' / 'train.txt').read_text().splitlines()
    assert lines[8] == 'train/0008_left_and_up.mp4 8' and lines[32] == 'train/0032_left.mp4 0'
    assert (tmp_path / 'pairs' / 'classes.txt').read_text().split() == list(CLASSES)
    assert len(VideoReader(str(tmp_path / 'pairs' / 'train' / '0008_left_and_up.mp4'))) == 24
    with pytest.raises(FileExistsError, match='motions is pairs, asked for None'):
        render_motion_clips(tmp_path / 'pairs', num_clips=few)
    with pytest.raises(ValueError, match="motions: got 'more'; expected 'single' or 'pairs' or 'together' or "):
        render_motion_clips(tmp_path / 'other', motions='more')
