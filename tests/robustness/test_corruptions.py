"""Corruptions of real clips: the same for every model, stronger with each severity, and as strong as they say."""

import random
import shutil

import clips
import cv2
import numpy as np
import pytest
from mmengine.dataset import Compose

from mmkd_video.core.mistakes import WorkFailedError, WrongKeyError, WrongValueError
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.robustness import RandomCorruption, corruptions
from mmkd_video.robustness.corruptions import (
    DefocusBlur,
    DroppedFrames,
    FrameRateChange,
    GaussianNoise,
    LowLight,
    LowResolution,
    MotionBlur,
    Occlusion,
    RepeatedFrames,
    ShotNoise,
    VideoCompression,
)
from mmkd_video.robustness.corruptions.corruption import scaled

KINDS = sorted(corruptions())
DRAWING = sorted({*KINDS} - {'DefocusBlur', 'FrameRateChange', 'LowResolution', 'VideoCompression'})
OF_TIME = ('DroppedFrames', 'RepeatedFrames', 'FrameRateChange')
RNG = np.random.default_rng(0)


@pytest.fixture
def video(tiny_clips, tmp_path):
    path = sorted(tiny_clips.rglob('*.mp4'))[3]
    return shutil.copy(path, tmp_path / 'a.mp4')


def decoded(path, *steps, clip_len=1, num_clips=16):
    """Return what a decoder, and the steps behind it, leave of a video."""
    sample = dict(type='SampleFrames', clip_len=clip_len, num_clips=num_clips, test_mode=True)
    pipeline = Compose([dict(type='DecordInit'), sample, dict(type='DecordDecode'), *steps])
    return pipeline(dict(filename=str(path), start_index=0, modality='RGB', label=0))


def frames_of(path, *steps, **sample):
    return np.stack(decoded(path, *steps, **sample)['imgs'])


def numbered(count, size=8):
    return [np.full((size, size, 3), place, np.uint8) for place in range(count)]


def numbers(frames):
    return [int(frame[0, 0, 0]) for frame in frames]


def grey(value=128, size=224):
    return [np.full((size, size, 3), value, np.uint8)] * 2


def dot(size=224):
    """Return a frame with a bright pixel in the middle."""
    frame = np.zeros((size, size, 3), np.float32)
    frame[size // 2, size // 2] = 1.0
    return frame


def spread(frame):
    """Return the covariance ``(2, 2)`` of the places of a frame's brightness, in square pixels."""
    rows, columns = np.nonzero(frame[..., 0] > 1e-6)
    weights = frame[rows, columns, 0]
    return np.cov(np.stack([rows, columns]), aweights=weights, ddof=0)


@pytest.mark.parametrize('kind', KINDS)
def test_a_clip_is_spoilt_more_with_each_severity_and_always_in_the_same_way(kind, video, tmp_path):
    clean = frames_of(video)
    found = [frames_of(video, dict(type=kind, severity=severity)) for severity in range(1, 6)]
    if kind in OF_TIME:
        away = [len(clean) - len({frame.tobytes() for frame in each}) for each in found]
    else:
        away = [np.abs(each.astype(int) - clean).mean() for each in found]
    assert away[0] > 0 and away == sorted(away) and len(set(away)) == 5
    assert all(each.shape == clean.shape and each.dtype == np.uint8 for each in found)
    for name, same in (('a.mp4', True), ('b.mp4', kind not in DRAWING)):
        (tmp_path / 'other').mkdir(exist_ok=True)
        other = shutil.copy(video, tmp_path / 'other' / name)
        assert np.array_equal(frames_of(other, dict(type=kind, severity=4)), found[3]) == same, name
    assert np.array_equal(frames_of(video, dict(type=kind, severity=4, seed=1)), found[3]) == (kind not in DRAWING)


@pytest.mark.parametrize('kind', KINDS)
def test_frames_are_not_changed_in_place(kind):
    given = [np.random.default_rng(place).integers(0, 256, (32, 40, 3), dtype=np.uint8) for place in range(4)]
    before = [frame.copy() for frame in given]
    TRANSFORMS.build(dict(type=kind, severity=5)).transform(dict(imgs=given, filename='a'))
    assert all(map(np.array_equal, before, given))


@pytest.mark.parametrize('kind', ['DroppedFrames', 'RepeatedFrames', 'FrameRateChange', 'VideoCompression'])
def test_each_clip_of_a_video_is_spoilt_for_itself(kind):
    given = numbered(4) + [frame + 100 for frame in numbered(4)]
    made = TRANSFORMS.build(dict(type=kind, severity=5)).transform(dict(imgs=given, clip_len=4, num_clips=2))['imgs']
    assert max(numbers(made[:4])) < 50 <= min(numbers(made[4:]))


def test_the_lost_frames_are_gone_or_stand_still():
    made = numbers(DroppedFrames(4).corrupt(numbered(8), np.random.default_rng(0)))
    kept = sorted(set(made))
    assert kept[0] == 0 and len(kept) == 4 and made == kept + kept[-1:] * 4
    shown = numbers(RepeatedFrames(4).corrupt(numbered(8), np.random.default_rng(0)))
    assert shown == [max(each for each in kept if each <= place) for place in range(8)]
    more = {*numbers(DroppedFrames(5).corrupt(numbered(8), np.random.default_rng(0)))}
    assert more < {*kept}
    for kind in (DroppedFrames, RepeatedFrames, FrameRateChange):
        assert numbers(kind(5).corrupt(numbered(1), RNG)) == [0]


def test_a_lower_rate_shows_the_latest_frame_that_was_taken():
    assert numbers(FrameRateChange(1).corrupt(numbered(8), RNG)) == [0, 0, 2, 3, 4, 4, 6, 7]
    assert numbers(FrameRateChange(2).corrupt(numbered(8), RNG)) == [0, 0, 2, 2, 4, 4, 6, 6]
    assert numbers(FrameRateChange(5).corrupt(numbered(16), RNG)) == [0] * 5 + [5] * 5 + [10] * 5 + [15]


def test_noise_is_as_strong_as_it_says():
    one, other = (each.astype(float) for each in GaussianNoise(1).corrupt(grey(), np.random.default_rng(0)))
    assert one.std() == pytest.approx(0.08 * 255, rel=0.02) and not np.array_equal(one, other)
    shot = ShotNoise(1).corrupt(grey(), np.random.default_rng(0))[0].astype(float)
    assert shot.mean() == pytest.approx(128, abs=1) and shot.var() == pytest.approx(128 * 255 / 60, rel=0.05)
    dark = LowLight(3).corrupt(grey(200), np.random.default_rng(0))[0].astype(float)
    assert dark.mean() == pytest.approx(200 * (1 / 8) ** (1 / 2.2), abs=0.5) and dark.std() == pytest.approx(
        3, rel=0.05
    )


def test_blurs_have_the_size_they_say_and_keep_the_light():
    disc = spread(DefocusBlur(5).corrupt([dot()], RNG)[0])
    assert np.allclose(disc, np.eye(2) * 10**2 / 4, atol=0.3)  # of a disc of radius 10
    line = np.linalg.eigvalsh(spread(MotionBlur(5).corrupt([dot()], np.random.default_rng(0))[0]))
    assert line[1] == pytest.approx(36**2 / 12, rel=0.03) and line[0] < 1
    for kind in (DefocusBlur, MotionBlur, LowResolution):
        assert np.array_equal(kind(5).corrupt(grey(), RNG)[0], grey()[0])
    assert scaled(10, np.zeros((112, 300, 3))) == 5


def test_a_rectangle_hides_its_share_at_one_place():
    made = Occlusion(4).corrupt([np.full((100, 200, 3), 7, np.uint8)] * 3, np.random.default_rng(3))
    hidden = [(frame != 7).any(axis=2) for frame in made]
    assert hidden[0].mean() == pytest.approx(0.3, abs=0.01) and np.array_equal(hidden[0], hidden[2])
    assert len(np.unique(made[0][hidden[0]], axis=0)) == 1


def test_few_pixels_are_left():
    edge = np.zeros((64, 64, 3), np.uint8)
    edge[:, 29:] = 255
    assert 0 < LowResolution(5).corrupt([edge], RNG)[0][0, 28, 0] < 255


def test_a_codec_keeps_colours_and_the_size_of_any_frame():
    made = VideoCompression(1).corrupt([np.full((33, 47, 3), (200, 50, 10), np.uint8)], RNG)
    assert len(made) == 1 and made[0].shape == (33, 47, 3)
    assert np.abs(made[0].astype(int) - (200, 50, 10)).max() < 6


@pytest.mark.parametrize(
    'broken', [dict(imencodeanimation=None), dict(imdecodeanimation=lambda content: (False, None))]
)
def test_an_opencv_without_the_codec_is_named(broken, monkeypatch):
    for name, replacement in broken.items():
        monkeypatch.setattr(cv2, name, replacement) if replacement else monkeypatch.delattr(cv2, name)
    with pytest.raises(WorkFailedError, match=r'VideoCompression: OpenCV .* cannot encode AV1 .*4\.12'):
        VideoCompression(1).corrupt(grey(), RNG)


@pytest.mark.parametrize('imgs', [[], [np.zeros((4, 4, 3), np.float32)], np.zeros((1, 3, 8, 4, 4), np.uint8)])
def test_what_are_no_decoded_frames_is_refused(imgs):
    with pytest.raises(WrongValueError, match=r'Occlusion: got .*; expected RGB frames .* right behind the decoder'):
        Occlusion().transform(dict(imgs=imgs))


def test_a_training_draws_kind_and_severity_from_its_own_generator(video):
    def drawn(seed, **settings):
        np.random.seed(seed)
        made = frames_of(video, dict(type='RandomCorruption', **settings))
        return made, np.random.random()

    clean, after = drawn(0, probability=0.0)
    assert np.array_equal(clean, frames_of(video))
    found = [drawn(seed)[0] for seed in range(12)]
    assert np.array_equal(found[3], drawn(3)[0]) and drawn(0)[1] == after
    assert len({each.tobytes() for each in found}) == 12
    mild = [drawn(seed, kinds=['GaussianNoise'], severities=[1])[0] for seed in range(4)]
    middle = (clean > 60) & (clean < 190)
    assert all(20 < (each.astype(float) - clean)[middle].std() < 21 for each in mild)


def test_an_unknown_corruption_is_told_with_the_nearest_name():
    with pytest.raises(WrongKeyError, match=r"kinds: got 'GausianNoise'.*did you mean 'GaussianNoise'"):
        RandomCorruption(kinds=['GausianNoise'])


def test_a_teacher_sees_the_clean_clip_with_the_crop_of_the_corrupted_one(video):
    def views(*steps):
        student = clips.pipeline(size=32)
        student[3:3] = steps
        np.random.seed(5)
        random.seed(5)
        teacher = clips.pipeline(size=32)
        made = Compose([dict(type='DistillViews', student=student, teacher=teacher)])
        return made(dict(filename=str(video), start_index=0, modality='RGB', label=0))

    kinds = ['GaussianNoise', 'LowLight']
    spoilt, coarse = views(dict(type='RandomCorruption', kinds=kinds)), views(dict(type='LowResolution'))
    clean = views(dict(type='RandomCorruption', probability=0.0))
    assert not np.array_equal(spoilt['inputs'], clean['inputs'])
    assert np.array_equal(spoilt['views']['teacher'], clean['views']['teacher'])
    assert np.array_equal(coarse['views']['teacher'], views()['views']['teacher'])
    assert np.array_equal(clean['inputs'], clean['views']['teacher'])
