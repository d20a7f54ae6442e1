"""Clips of two labels, and sequences with a label for every frame."""

import numpy as np
import pytest
from decord import VideoReader

from mmkd_video.datasets import motion_sequences, motion_together, render_motion_clips
from mmkd_video.datasets.motion_clips import CLASSES, MOVES, clip_rng
from mmkd_video.datasets.motion_sequences import draw_sequence
from mmkd_video.datasets.motion_set import read_manifest


def test_a_clip_of_two_sprites_has_the_two_labels_that_its_name_says(tmp_path):
    render_motion_clips(tmp_path / 'set', num_clips=dict(train=29, val=1, test=1), motions='together')
    lines = (tmp_path / 'set' / 'train.txt').read_text().splitlines()
    assert lines[0] == 'train/0000_left_with_right.mp4 0 1' and lines[28].endswith(' 0 1')
    assert len({line.split(' ', 1)[1] for line in lines}) == 28
    for line in lines:
        name, *labels = line.split()
        assert name == f'train/{name[6:10]}_{CLASSES[int(labels[0])]}_with_{CLASSES[int(labels[1])]}.mp4'
    assert (tmp_path / 'set' / 'classes.txt').read_text().split() == list(CLASSES)
    assert len(VideoReader(str(tmp_path / 'set' / lines[0].split()[0]))) == 24


def test_each_of_the_two_sprites_takes_its_own_path(monkeypatch):
    seen = []
    monkeypatch.setattr(motion_together, 'render_paths', lambda split, paths, rng, domain: seen.append(paths))
    kind = motion_together.KINDS.index('up_with_zoom_out')
    for index in range(8):
        motion_together.render_clip('train', kind, clip_rng(0, 'train', index))
    axes = {tuple(int(np.abs(np.median(np.diff(path, axis=0), axis=0)).argmax()) for path in paths) for paths in seen}
    assert axes == {(1, 3), (3, 1)}  # either may pass in front
    sizes = np.exp([path[:, 3] for paths in seen for path in paths])
    assert sizes.min() > 19 and sizes.max() < 48


def test_a_sequence_goes_on_from_where_it_is_and_steps_as_its_labels_say():
    for index in range(20):
        poses, labels = draw_sequence(clip_rng(0, 'train', index), 96)
        assert poses.shape == (96, 4) and labels.shape == (96,)
        bounds = np.flatnonzero(np.diff(labels))
        lengths = np.diff([-1, *bounds, 95])
        assert len(lengths) == 6 and lengths.min() >= 6
        spans = motion_sequences.poses_at(np.full((1, 4), 1 - 1e-9)) - motion_sequences.poses_at(np.zeros((1, 4)))
        steps = np.diff(poses, axis=0)
        steps -= spans * np.round(steps / spans)  # a phase that ran out of its range starts again
        for step, label in zip(steps, labels[1:], strict=True):
            axis, direction = MOVES[CLASSES[label]]
            assert step[axis] * direction > 0 and np.abs(np.delete(step, axis)).max() < 1e-6


def test_a_folder_of_sequences_holds_a_label_for_every_frame(tmp_path):
    few = dict(train=2, val=1, test=1)
    assert render_motion_clips(tmp_path / 'set', num_clips=few, motions='sequences')
    assert (tmp_path / 'set' / 'train.txt').read_text() == 'train/0000_sequence.mp4\ntrain/0001_sequence.mp4\n'
    labels = (tmp_path / 'set' / 'train' / '0001_sequence.txt').read_text().split()
    assert len(labels) == len(VideoReader(str(tmp_path / 'set' / 'train' / '0001_sequence.mp4'))) == 96
    assert set(labels) <= set(CLASSES) and len(read_manifest(tmp_path / 'set')['sha256']) == 8
    assert not render_motion_clips(tmp_path / 'set', num_clips=few, motions='sequences')
    (tmp_path / 'set' / 'val' / '0000_sequence.txt').write_text('left\n')
    with pytest.raises(ValueError, match='1 clips are missing or changed .*val/0000_sequence.txt'):
        render_motion_clips(tmp_path / 'set', num_clips=few, motions='sequences')


def test_a_killed_rendering_of_sequences_goes_on_with_clip_and_labels(tmp_path):
    few = dict(train=1, val=1, test=1)
    render_motion_clips(tmp_path / 'whole', num_clips=few, motions='sequences')
    render_motion_clips(tmp_path / 'killed', num_clips=few, motions='sequences')
    (tmp_path / 'killed' / 'manifest.json').rename(tmp_path / 'killed' / 'rendering.json')
    text = (tmp_path / 'killed' / 'rendering.json').read_text()
    (tmp_path / 'killed' / 'rendering.json').write_text(text[: text.index(',\n "sha256"')] + '}')
    (tmp_path / 'killed' / 'train' / '0000_sequence.mp4').unlink()  # labels were written, the clip was not
    assert render_motion_clips(tmp_path / 'killed', num_clips=few, motions='sequences')
    found = [read_manifest(tmp_path / name) for name in ('whole', 'killed')]
    assert found[0] == found[1]
