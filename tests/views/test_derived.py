"""Optical flow, differences and contours that are computed from the frames of a view."""

import pickle
import random

import cv2
import numpy as np
import pytest
import torch
from view_videos import sample_of, student_pipeline, teacher_pipeline, write_video

from mmkd_video.views import DistillViews, RGBToContour, RGBToDifference, RGBToFlow

KINDS = [RGBToFlow, RGBToDifference, RGBToContour]
AUGMENTING = [
    dict(type='RandomResizedCrop', area_range=(0.5, 1.0)),
    dict(type='Resize', scale=(32, 32), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='ColorJitter', hue=0.0),
]


def texture(size: int = 96) -> np.ndarray:
    grain = np.random.default_rng(0).random((size, size)).astype(np.float32)
    smooth = cv2.GaussianBlur(grain, (0, 0), 2)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def moving(step: tuple[int, int], frames: int = 4, size: int = 64) -> list[np.ndarray]:
    """A texture that moves by ``step`` (x, y) pixels a frame."""
    whole = texture()
    starts = [(16 - step[0] * n, 16 - step[1] * n) for n in range(frames)]
    return [np.repeat(whole[y : y + size, x : x + size, None], 3, axis=2) for x, y in starts]


@pytest.mark.parametrize('step', [(2, 0), (0, -3), (-1, 2), (0, 0)])
@pytest.mark.parametrize('bound', [4.0, 8.0])
def test_flow_is_the_displacement_in_pixels(step, bound):
    made = RGBToFlow(bound=bound)(dict(imgs=moving(step), clip_len=4))['imgs']
    assert [(each.shape, each.dtype) for each in made] == [((64, 64, 2), np.uint8)] * 4
    pixels = (np.stack(made).astype(float) - 128) * bound / 127
    assert np.median(pixels[..., 0]) == pytest.approx(step[0], abs=0.2)
    assert np.median(pixels[..., 1]) == pytest.approx(step[1], abs=0.2)
    assert np.array_equal(made[2], made[3])


def test_motion_beyond_the_bound_is_cut_off():
    made = RGBToFlow(bound=1.0)(dict(imgs=moving((3, -3)), clip_len=4))['imgs']
    assert np.median(made[0][..., 0]) == 255 and np.median(made[0][..., 1]) == 0


def test_a_difference_is_half_of_what_changes_around_128():
    frames = [np.full((4, 5, 3), value, np.uint8) for value in (10, 30, 0)]
    made = RGBToDifference()(dict(imgs=frames, clip_len=3))['imgs']
    assert [np.unique(each).tolist() for each in made] == [[138], [113], [113]]


def test_a_contour_is_where_the_picture_changes():
    frame = np.zeros((32, 32, 3), np.uint8)
    frame[:, 16:] = 255
    (made,) = RGBToContour()(dict(imgs=[frame], clip_len=1))['imgs']
    assert made.shape == (32, 32, 1) and set(np.unique(made)) == {0, 255}
    assert made[:, 14:18].any(axis=(1, 2)).all() and not made[:, :13].any() and not made[:, 19:].any()


@pytest.mark.parametrize('kind', KINDS)
def test_clips_of_one_sample_do_not_touch_and_segments_are_one_clip(kind):
    first, second = moving((2, 0), 3), moving((0, -3), 3)
    apart = [frame for clip in (first, second) for frame in kind()(dict(imgs=clip, clip_len=3))['imgs']]
    together = kind()(dict(imgs=[*first, *second], clip_len=3))['imgs']
    assert all(map(np.array_equal, apart, together))
    segments = kind()(dict(imgs=list(first), clip_len=1, num_clips=3))['imgs']
    assert all(map(np.array_equal, segments, apart[:3]))
    assert all(frame.shape[2] == kind.channels for frame in together)


@pytest.mark.parametrize('kind', KINDS)
def test_a_used_transform_goes_to_a_worker(kind):
    transform = kind()
    made = transform(dict(imgs=moving((1, 1)), clip_len=4))['imgs']
    again = pickle.loads(pickle.dumps(transform))(dict(imgs=moving((1, 1)), clip_len=4))['imgs']
    assert all(map(np.array_equal, made, again))


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp('videos') / 'a.mp4', 48)


def deriving(kind: type, **sampler) -> list[dict]:
    steps = teacher_pipeline(**sampler)
    return [*steps[:-2], dict(type=kind.__name__), *steps[-2:]]


def seed(number: int) -> None:
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


def run(views: DistillViews, video: str, number: int) -> dict:
    seed(number)
    return views(sample_of(video))


@pytest.mark.parametrize('kind', KINDS)
def test_a_view_is_derived_from_the_teachers_own_frames(video, kind):
    views = DistillViews(student_pipeline(*AUGMENTING), dict(rgb=teacher_pipeline(), derived=deriving(kind)))
    flips = set()
    for number in range(6):
        made = run(views, video, number)['views']
        frames = [frame.permute(1, 2, 0).numpy() for frame in made['rgb'][0].transpose(0, 1)]
        expected = np.stack(kind()(dict(imgs=frames, clip_len=8))['imgs'])
        assert made['derived'].shape == (1, kind.channels, 8, 64, 64)
        assert np.array_equal(made['derived'][0].permute(1, 2, 3, 0).numpy(), expected)
        flips.add(bool(frames[0][:, 0, 0].mean() > frames[0][:, -1, 0].mean()))
    assert flips == {True, False}


def test_a_student_that_derives_leaves_the_teachers_frames_alone(video):
    seed(7)  # ColorJitter draws when it is built
    plain = DistillViews(student_pipeline(*AUGMENTING), teacher_pipeline())
    seed(7)
    flow = DistillViews(student_pipeline(*AUGMENTING, dict(type='RGBToFlow')), teacher_pipeline())
    for number in range(3):
        mine, theirs = run(flow, video, number), run(plain, video, number)
        assert torch.equal(mine['views']['teacher'], theirs['views']['teacher'])
        assert mine['inputs'].shape == (1, 2, 8, 32, 32) and theirs['inputs'].shape == (1, 3, 8, 32, 32)


def test_a_modality_is_derived_after_the_geometry():
    steps = deriving(RGBToFlow)
    steps.insert(3, steps.pop(-3))
    with pytest.raises(ValueError, match="view 'teacher': got .*expected RGBToFlow directly before FormatShape, after"):
        DistillViews(student_pipeline(*AUGMENTING), steps)


@pytest.mark.parametrize(
    ('build', 'told'),
    [
        (lambda: RGBToFlow(bound=0), 'RGBToFlow.bound: got 0; expected a number above 0'),
        (lambda: RGBToFlow(preset='slow'), "got 'slow'; expected 'ultrafast', 'fast' or 'medium'"),
        (lambda: RGBToContour(low=100, high=50), 'RGBToContour.high: got 50; expected at least low=100'),
        (lambda: RGBToFlow()(dict(imgs=moving((0, 0), size=8))), 'got frames of 8 x 8 pixels; expected at least 16'),
        (
            lambda: RGBToDifference()(RGBToFlow()(dict(imgs=moving((0, 0))))),
            r'got frames of shape \(64, 64, 2\) and uint8; expected RGB frames \(H, W, 3\) of uint8',
        ),
    ],
)
def test_what_cannot_be_derived_is_told(build, told):
    with pytest.raises(ValueError, match=told):
        build()
