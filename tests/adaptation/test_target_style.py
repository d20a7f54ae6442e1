"""Source clips in the style of the target: known values, and real clips through decord."""

import clips
import numpy as np
import pytest
from mmengine.dataset import Compose

import mmkd_video  # noqa: F401
from mmkd_video.adaptation.target_style import TargetStyle, exchange_amplitudes, move_moments


def noise(seed, low=0, high=256, frames=3, size=16):
    return np.random.default_rng(seed).integers(low, high, (frames, size, size, 3)).astype(np.uint8)


def test_moments_become_those_of_the_target():
    moved = move_moments(noise(0, 60, 100), noise(1, 100, 180)).astype(float)
    assert moved.mean((0, 1, 2)) == pytest.approx(noise(1, 100, 180).mean((0, 1, 2)), abs=0.5)
    assert moved.std((0, 1, 2)) == pytest.approx(noise(1, 100, 180).std((0, 1, 2)), rel=0.03)
    flat = np.full((2, 4, 4, 3), 9, np.uint8)
    assert (move_moments(flat, noise(1)).std((0, 1, 2)) == 0).all()


def test_low_amplitudes_become_those_of_the_target_and_phases_stay():
    frames, style = noise(0, 100, 156, frames=1), noise(1, 100, 156, frames=1)
    moved = exchange_amplitudes(frames, style, 0.1)
    before, after, target = (np.fft.fft2(each[0].astype(float), axes=(0, 1)) for each in (frames, moved, style))
    low = np.ix_([0, 1, -1], [0, 1, -1])  # 1 / 16 of a frame is below 0.1, 2 / 16 is not
    assert np.abs(after[low]) == pytest.approx(np.abs(target[low]), rel=0.2, abs=60)  # rounded to grey levels
    assert np.abs(after[2:5, 2:5]) == pytest.approx(np.abs(before[2:5, 2:5]), rel=0.2, abs=60)
    turned = np.angle(after[low] / before[low])
    assert np.abs(turned[np.abs(before[low]) > 500]).max() < 0.3
    assert (exchange_amplitudes(frames, frames, 0.4) == frames).all()


def test_what_rests_goes_on_resting_and_what_moves_on_moving():
    still = np.repeat(noise(0, frames=1), 4, axis=0)
    for moved in (exchange_amplitudes(still, noise(1), 0.2), move_moments(still, noise(1))):
        assert (moved == moved[:1]).all() and (moved != still).any()
    roll = np.stack([np.roll(still[0], step, axis=1) for step in range(4)])
    moved = exchange_amplitudes(roll, noise(1), 0.2)
    for step in range(4):  # the same filter for each frame: a shifted picture is filtered to the shifted result
        assert (moved[step] == np.roll(moved[0], step, axis=1)).all()


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=3)


@pytest.mark.parametrize('method', ['fourier', 'moments'])
def test_real_clips_are_changed_by_a_seed_and_those_of_the_target_are_not(folder, method):
    style = dict(type='TargetStyle', clips=str(folder / 'list.txt'), root=str(folder), method=method, probability=1.0)
    pipeline = clips.pipeline()
    plain, styled = Compose(pipeline), Compose([*pipeline[:3], style, *pipeline[3:]])

    def load(steps, domain=0, seed=0):
        np.random.seed(seed)
        found = steps(dict(filename=str(folder / '0.mp4'), label=0, start_index=0, modality='RGB', domain=domain))
        return found['inputs'].float()

    assert load(styled).shape == load(plain).shape
    assert (load(styled) == load(styled)).all() and (load(styled, seed=1) != load(styled)).any()
    crops = [load(each, 1) for each in (styled, Compose([*pipeline[:3], dict(style, probability=0.0), *pipeline[3:]]))]
    assert (crops[0] == crops[1]).all()


def test_mistakes_are_named(folder, tmp_path):
    frames = dict(imgs=list(noise(0)))
    with pytest.raises(FileNotFoundError, match='TargetStyle.clips: .*nothing does not exist; expected a folder'):
        TargetStyle(clips=str(tmp_path / 'nothing'), probability=1.0)(frames)
    (tmp_path / 'empty.txt').write_text('\n')
    with pytest.raises(ValueError, match='empty.txt names no video'):
        TargetStyle(clips=str(tmp_path / 'empty.txt'), probability=1.0)(frames)
    with pytest.raises(ValueError, match="method: got 'foo'; expected 'fourier'"):
        TargetStyle(clips='x', method='foo')
    with pytest.raises(ValueError, match='share: got 1.5'):
        TargetStyle(clips='x', share=1.5)
