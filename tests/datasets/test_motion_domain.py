"""The other domain of the motion clips: the same motions, filmed in another way."""

import json

import numpy as np
import pytest
from decord import VideoReader

from mmkd_video.cli import render
from mmkd_video.datasets import motion_set, render_motion_clips
from mmkd_video.datasets.motion_clips import CLASSES, clip_rng, draw_poses, render_clip
from mmkd_video.datasets.motion_domain import DOMAINS
from mmkd_video.datasets.motion_textures import FAMILIES, TARGET_FAMILIES

TARGET = DOMAINS['target']
KNOWN = [45.9515, 45.9406]  # mean grey of the first and of the last frame
FEW = {'train': 2, 'val': 1, 'test': 1}


def test_no_texture_of_one_domain_or_split_is_in_another():
    patterns = [
        each for families in (FAMILIES, TARGET_FAMILIES) for split in families.values() for each in split.values()
    ]
    assert len(set(patterns)) == len(patterns)
    assert FAMILIES.keys() == TARGET_FAMILIES.keys()


def test_the_source_is_what_it_was():
    """Folders that were rendered before there was a second domain stay valid."""
    clip = render_clip('train', 3, clip_rng(0, 'train', 7))
    assert clip.shape == (24, 64, 64, 3)
    frames = [clip.mean((1, 2, 3))[index] for index in (0, 23)]
    assert frames == pytest.approx(KNOWN, abs=1e-3)


def test_the_target_moves_alike_and_looks_otherwise():
    own, theirs = (np.diff(draw_poses(1, clip_rng(0, 'train', 3), count), axis=0)[:, 0] for count in (24, 32))
    assert np.median(theirs) == pytest.approx(np.median(own) * 24 / 32)
    clips = {
        name: np.stack(
            [render_clip('train', index % 8, clip_rng(0, 'train', index, each), each)[:24] for index in range(8)]
        )
        for name, each in DOMAINS.items()
    }
    grey = {name: clip.astype(float).mean(-1) for name, clip in clips.items()}
    assert grey['target'].mean() > grey['source'].mean() + 25
    finest = {name: np.abs(np.diff(clip, axis=-1)).mean() for name, clip in grey.items()}
    assert finest['target'] > 1.5 * finest['source']  # noise
    again = render_clip('train', 0, clip_rng(0, 'train', 0, TARGET), TARGET)
    assert (again[:24] == clips['target'][0]).all() and len(again) == 32


def test_the_camera_shakes_around_one_place_and_is_tilted():
    frames = np.zeros((32, 64, 64, 3), np.float32)
    frames[:, 28:36, 28:36] = 255
    seen = TARGET.film(frames, np.random.default_rng(0))[..., 0]
    rows = np.arange(64)
    centres = np.stack([(seen.sum(2) @ rows), (seen.sum(1) @ rows)]) / seen.sum((1, 2))
    assert centres.std(1).min() > 0.1 and centres.std(1).max() < 2 and np.abs(centres - 31.5).max() < 4
    assert DOMAINS['source'].film(frames, np.random.default_rng(0)) is frames


def test_a_folder_says_which_domain_it_holds(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(motion_set, 'NUM_CLIPS', FEW)
    render.main([str(tmp_path / 'target'), '--domain', 'target'])
    manifest = json.loads((tmp_path / 'target/manifest.json').read_text())
    assert manifest['domain'] == 'target'
    video = VideoReader(str(tmp_path / f'target/train/0000_{CLASSES[0]}.mp4'))
    assert len(video) == 32 and round(video.get_avg_fps()) == 16
    assert not render_motion_clips(tmp_path / 'target', domain='target')
    with pytest.raises(FileExistsError, match='domain is target, asked for None'):
        render_motion_clips(tmp_path / 'target')
    render_motion_clips(tmp_path / 'source')
    assert 'domain' not in json.loads((tmp_path / 'source/manifest.json').read_text())
    with pytest.raises(ValueError, match="domain: got 'targt'; expected one of source, target"):
        render_motion_clips(tmp_path / 'new', domain='targt')
