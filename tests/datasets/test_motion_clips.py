"""The renderer: eight motions that no single frame gives away."""

import numpy as np
import pytest
import torch
from decord import VideoReader

from mmkd_video.datasets.motion_clips import (
    CLASSES,
    NUM_FRAMES,
    SIZE,
    clip_rng,
    draw_poses,
    encode_clip,
    render_clip,
    sprite_matrix,
)
from mmkd_video.datasets.motion_textures import FAMILIES, draw_texture


def test_first_pose_and_randomness_used_do_not_depend_on_the_label():
    starts, states = [], []
    for label in range(len(CLASSES)):
        rng = clip_rng(0, 'train', 7)
        starts.append(draw_poses(label, rng)[0])
        states.append(rng.bit_generator.state['state']['state'])
    assert np.ptp(starts, axis=0).max() == 0
    assert len(set(states)) == 1


def test_late_poses_have_one_distribution_in_all_classes():
    poses = np.stack([[draw_poses(label, clip_rng(1, 'val', i))[-1] for i in range(2000)] for label in range(8)])
    ordered = np.sort(poses, axis=1)
    ordered = (ordered - poses.min((0, 1))) / np.ptp(poses, axis=(0, 1))
    assert np.ptp(ordered, axis=0).max() < 0.08  # a uniform sample of 2000 strays by 0.02 or so


@pytest.mark.parametrize(
    'name, axis, sign',
    [('left', 0, -1), ('right', 0, 1), ('up', 1, -1), ('down', 1, 1), ('clockwise', 2, 1), ('zoom_in', 3, 1)],
)
def test_only_the_named_degree_of_freedom_moves(name: str, axis: int, sign: int):
    steps = np.diff(draw_poses(CLASSES.index(name), clip_rng(0, 'train', 3)), axis=0)
    assert np.sign(np.median(steps[:, axis])) == sign
    assert np.abs(np.delete(steps, axis, axis=1)).max() == 0


def test_clip_follows_its_pose():
    """The bright sprite of a 'right' clip really goes right."""
    rng = np.random.default_rng(5)
    clips = [render_clip('train', CLASSES.index('right'), rng).astype(float).mean(-1) for _ in range(12)]
    columns = np.arange(SIZE)
    moved = []
    for clip in clips:
        weight = (clip - np.median(clip, axis=(1, 2), keepdims=True)).clip(0).sum(1) ** 2
        centre = (weight * columns).sum(1) / weight.sum(1)
        moved.append(np.median(np.diff(centre)))
    assert np.mean(np.array(moved) > 0) > 0.7


def test_positive_angle_turns_the_sprite_clockwise_on_the_screen():
    """A quarter turn takes the middle of the sprite's right edge to the bottom."""
    matrix = sprite_matrix(np.array([0.0, 0.0, np.pi / 2, np.log(SIZE)]))
    assert matrix @ [96, 48, 1] == pytest.approx([SIZE / 2, SIZE])


def test_clips_follow_from_their_seed():
    first, again, other = (render_clip('test', 4, clip_rng(seed, 'test', 1)) for seed in (0, 0, 1))
    assert first.shape == (NUM_FRAMES, SIZE, SIZE, 3) and first.dtype == np.uint8
    assert (first == again).all() and (first != other).any()
    assert (first != render_clip('test', 4, clip_rng(0, 'test', 2))).any()


def test_no_two_splits_share_a_texture_family():
    names = [name for split in FAMILIES.values() for name in split]
    patterns = [pattern for split in FAMILIES.values() for pattern in split.values()]
    assert len(set(names)) == len(names) and len(set(patterns)) == len(patterns)
    with pytest.raises(KeyError, match="got 'dev', expected one of"):
        draw_texture('dev', np.random.default_rng(0), 8, np.zeros(3), np.ones(3))


@pytest.mark.parametrize('split', FAMILIES)
def test_no_texture_looks_the_same_when_turned(split: str):
    for index in range(20):
        texture = draw_texture(split, np.random.default_rng(index), 96, np.zeros(3), np.ones(3))[..., 0]
        assert np.abs(texture - np.rot90(texture)).mean() > 0.05


def test_encoded_clip_is_read_back_by_decord(tmp_path):
    frames = render_clip('train', 0, clip_rng(0, 'train', 0))
    path = tmp_path / 'clip.mp4'
    encode_clip(frames, path)
    decoded = VideoReader(str(path)).get_batch(range(NUM_FRAMES)).asnumpy()
    assert decoded.shape == frames.shape
    assert np.abs(decoded.astype(float) - frames).mean() < 12  # noise that the codec drops


def test_clip_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(OSError, match='cannot write'):
        encode_clip(np.zeros((2, 8, 8, 3), np.uint8), tmp_path / 'missing' / 'clip.mp4')


@pytest.mark.parametrize('frame', [0, pytest.param(NUM_FRAMES - 1, marks=pytest.mark.slow)])
def test_one_frame_does_not_give_the_class_away(frame: int):
    """A small network on the clips' first or last frames alone stays near chance on frames it has not seen."""
    clips = [render_clip('train', i % 8, clip_rng(2, 'train', i))[frame] for i in range(480)]
    pictures = torch.tensor(np.stack(clips)).float().permute(0, 3, 1, 2) / 128 - 1
    labels = torch.arange(len(clips)) % 8
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.AvgPool2d(4),
        torch.nn.Flatten(),
        torch.nn.Linear(3 * 16 * 16, 64),
        torch.nn.ReLU(),
        torch.nn.Linear(64, 8),
    )
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=0.1)
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(net(pictures[:320]), labels[:320])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    accuracy = (net(pictures[320:]).argmax(1) == labels[320:]).float().mean()
    assert accuracy < 0.23  # chance 0.125, standard deviation 0.026
