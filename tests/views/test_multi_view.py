"""Several views of one sample, from real videos: of the clip, derived from it, and of other files."""

import random
import shutil

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, pseudo_collate
from view_videos import sample_of, student_pipeline, write_video

from mmkd_video.views import DistillViews, MultiView, RGBToFlow

FRAMES = 40
AUGMENTING = [
    dict(type='RandomResizedCrop', area_range=(0.4, 0.8)),
    dict(type='Resize', scale=(32, 32), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
]
FLOW = dict(derive=[dict(type='RGBToFlow')])
OTHER = dict(replace=('/cam0/', '/cam1/'))


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Cameras that show the same, one in a smaller frame, one that started 10 frames late; a clip lacks both."""
    root = tmp_path_factory.mktemp('cameras')
    for camera in ('cam0', 'cam1', 'late'):
        (root / camera).mkdir()
    write_video(root / 'cam0' / 'a.mp4', FRAMES)
    shutil.copy(root / 'cam0' / 'a.mp4', root / 'cam0' / 'alone.mp4')
    write_video(root / 'cam1' / 'a.mp4', FRAMES, 64, 48)
    cut(root / 'cam0' / 'a.mp4', root / 'late' / 'a.mp4', 10)
    return root


def cut(source, target, first):
    """Write a video again without its first frames."""
    reader, frames = cv2.VideoCapture(str(source)), []
    while True:
        good, frame = reader.read()
        if not good:
            break
        frames.append(frame)
    writer = cv2.VideoWriter(str(target), cv2.VideoWriter_fourcc(*'mp4v'), 12, frames[0].shape[1::-1])
    for frame in frames[first:]:
        writer.write(frame)
    writer.release()


def seeded(transform, path, seed=0):
    random.seed(seed)
    np.random.seed(seed)
    return transform(sample_of(str(path)))


def plain(*steps):
    """All frames of a moment in their own size."""
    return student_pipeline(*steps, sampler=dict(type='SampleFrames', clip_len=6, frame_interval=3))


@pytest.mark.parametrize('seed', range(3))
def test_a_view_of_the_clip_is_what_the_pipeline_gives_and_flow_is_that_of_these_frames(videos, seed):
    pipeline = plain(*AUGMENTING)
    found = seeded(MultiView(pipeline, dict(rgb={}, flow=FLOW)), videos / 'cam0' / 'a.mp4', seed)
    alone = seeded(Compose(pipeline), videos / 'cam0' / 'a.mp4', seed)
    assert torch.equal(found['inputs']['rgb'], alone['inputs'])
    assert found['data_samples'].gt_label == alone['data_samples'].gt_label
    frames = list(alone['inputs'][0].permute(1, 2, 3, 0).numpy())
    flow = np.stack(RGBToFlow()(dict(imgs=frames, clip_len=6))['imgs'])
    assert np.array_equal(found['inputs']['flow'][0].permute(1, 2, 3, 0).numpy(), flow)
    assert found['inputs']['present'].tolist() == [1.0, 1.0] and list(found['inputs']) == ['flow', 'rgb', 'present']


@pytest.mark.parametrize('seed', range(4))
def test_another_camera_has_the_same_frames_crop_and_flip(videos, seed):
    views = MultiView(plain(*AUGMENTING), dict(scene={}, other=OTHER))
    found = seeded(views, videos / 'cam0' / 'a.mp4', seed)['inputs']
    assert found['other'].shape == found['scene'].shape == (1, 3, 6, 32, 32)
    apart = (found['other'].float() - found['scene'].float()).abs()
    assert apart.mean() < 4 and apart.max() < 24  # of 255; half the size, another encoding


@pytest.mark.parametrize('size, shape', [(None, (1, 3, 6, 32, 32)), ((24, 16), (1, 3, 6, 16, 24))])
def test_a_view_has_the_size_that_is_asked_for(videos, size, shape):
    settings = dict(OTHER, size=size)
    for name, there in (('a.mp4', 1.0), ('alone.mp4', 0.0)):
        found = seeded(MultiView(plain(*AUGMENTING), dict(scene={}, other=settings)), videos / 'cam0' / name)['inputs']
        assert found['other'].shape == shape and found['present'].tolist() == [there, 1.0]


def test_a_video_that_is_not_there_is_a_missing_view(videos):
    views = dict(scene={}, other=OTHER, motion=dict(OTHER, **FLOW))
    found = seeded(MultiView(plain(*AUGMENTING), views), videos / 'cam0' / 'alone.mp4')['inputs']
    assert found['present'].tolist() == [0.0, 0.0, 1.0]
    assert not found['other'].any() and found['other'].shape == (1, 3, 6, 32, 32)
    assert not found['motion'].any() and found['motion'].shape == (1, 2, 6, 32, 32)


def test_a_batch_may_mix_samples_with_and_without_a_view(videos):
    views = MultiView(plain(*AUGMENTING), dict(scene={}, other=OTHER))
    batch = pseudo_collate([seeded(views, videos / 'cam0' / name) for name in ('a.mp4', 'alone.mp4')])
    assert [each.tolist() for each in batch['inputs']['present']] == [[1.0, 1.0], [0.0, 1.0]]
    assert torch.stack(batch['inputs']['other']).shape == (2, 1, 3, 6, 32, 32)


def times(view):
    """The frame that each picture of a view shows, told by blue."""
    return (view[0, 2].float().mean(dim=(1, 2)) * (FRAMES - 1) / 255).round().tolist()


@pytest.mark.parametrize(
    'settings, offset',
    [(dict(align='end'), 0), (dict(shift=-10), 0), ({}, 10), (dict(align='end', shift=3), 3)],
)
def test_frames_are_counted_as_the_view_says(videos, settings, offset):
    """The camera that started late: what it has not seen is its first frame, or its last."""
    sampler = dict(type='SampleFrames', clip_len=6, frame_interval=6, test_mode=True)
    views = dict(scene={}, late=dict(replace=('/cam0/', '/late/'), **settings))
    found = MultiView(student_pipeline(sampler=sampler), views)(sample_of(str(videos / 'cam0' / 'a.mp4')))['inputs']
    start = times(found['scene'])[0]
    assert times(found['scene']) == pytest.approx([start + 6 * place for place in range(6)], abs=1)
    wanted = [min(max(start + 6 * place + offset, 10), FRAMES - 1) for place in range(6)]
    assert times(found['late']) == pytest.approx(wanted, abs=1)


def test_the_last_place_of_a_path_is_replaced():
    views = MultiView(plain(), dict(scene={}, other=dict(replace=('cam', 'view/cam'))))
    assert views.views.cameras['other'].path_of('/cams/x/cam0/a.mp4') == '/cams/x/view/cam0/a.mp4'
    with pytest.raises(ValueError, match=r"other\.replace: got.*'/data/a.mp4', does not hold 'cam'"):
        views.views.cameras['other'].path_of('/data/a.mp4')


def test_several_clips_of_a_sample(videos):
    pipeline = student_pipeline(*AUGMENTING, sampler=dict(type='SampleFrames', clip_len=4, num_clips=3, test_mode=True))
    found = seeded(MultiView(pipeline, dict(rgb={}, flow=FLOW, other=OTHER)), videos / 'cam0' / 'a.mp4')['inputs']
    assert found['rgb'].shape == found['other'].shape == (3, 3, 4, 32, 32) and found['flow'].shape == (3, 2, 4, 32, 32)


STUDENT = student_pipeline(*AUGMENTING, sampler=dict(type='SampleFrames', clip_len=8, frame_interval=3), layout='NCHW')


@pytest.mark.parametrize('seed', range(3))
def test_a_teacher_of_several_views_sees_the_students_crop_and_moment(videos, seed):
    teacher = [dict(type='MultiView', pipeline=plain(*AUGMENTING), views=dict(rgb={}, flow=FLOW, other=OTHER))]
    found = seeded(DistillViews(student=STUDENT, teacher=teacher, span='stretch'), videos / 'cam0' / 'a.mp4', seed)
    alone = seeded(Compose(STUDENT), videos / 'cam0' / 'a.mp4', seed)
    assert torch.equal(found['inputs'], alone['inputs']), "the student's sample is what it was"
    views = found['views']['teacher']
    assert {name: tuple(each.shape) for name, each in views.items()} == dict(
        rgb=(1, 3, 6, 32, 32), flow=(1, 2, 6, 32, 32), other=(1, 3, 6, 32, 32), present=(3,)
    )
    ends = found['inputs'][[0, -1]].float()
    assert (views['rgb'][0][:, [0, -1]].transpose(0, 1).float() - ends).abs().mean() < 4
    assert (views['other'].float() - views['rgb'].float()).abs().mean() < 4
    frames = list(views['rgb'][0].permute(1, 2, 3, 0).numpy())
    flow = np.stack(RGBToFlow()(dict(imgs=frames, clip_len=6))['imgs'])
    assert np.array_equal(views['flow'][0].permute(1, 2, 3, 0).numpy(), flow)


def test_repeats_of_one_video_have_views_of_their_own_crops(videos):
    teacher = [dict(type='MultiView', pipeline=plain(*AUGMENTING), views=dict(rgb={}, other=OTHER))]
    views = DistillViews(student=STUDENT, teacher=teacher, span='stretch')
    random.seed(0)
    np.random.seed(0)
    found = [each['views']['teacher'] for each in views.repeat(sample_of(str(videos / 'cam0' / 'a.mp4')), 3)]
    for each in found:
        assert (each['other'].float() - each['rgb'].float()).abs().mean() < 4
    assert (found[0]['other'].float() - found[1]['other'].float()).abs().mean() > 8


def test_a_teacher_whose_other_camera_is_missing(videos):
    teacher = [dict(type='MultiView', pipeline=plain(*AUGMENTING), views=dict(rgb={}, other=OTHER))]
    one = dict(type='DistillViews', student=STUDENT, teacher=dict(r=teacher, o=plain(*AUGMENTING)))
    found = seeded(Compose([one]), videos / 'cam0' / 'alone.mp4')['views']
    assert found['r']['present'].tolist() == [0.0, 1.0] and not found['r']['other'].any()
    assert found['o'].shape == found['r']['rgb'].shape and torch.equal(found['o'], found['r']['rgb'])


def test_a_view_of_its_own_augmentation_has_several_views_too(videos):
    teacher = [dict(type='MultiView', pipeline=plain(*AUGMENTING), views=dict(rgb={}, other=OTHER))]
    found = seeded(DistillViews(student=STUDENT, teacher=teacher, augment='own'), videos / 'cam0' / 'a.mp4')
    assert set(found['views']['teacher']) == {'rgb', 'other', 'present'}


@pytest.mark.parametrize(
    'views, says',
    [
        ({}, 'views: got no view'),
        (dict(present={}), "got a view named 'present'"),
        (dict(rgb=dict(derived=[])), r"views\.rgb: got the unknown key 'derived'.*did you mean 'derive'"),
        (dict(rgb=dict(derive=[dict(type='Flip')])), r"views\.rgb\.derive: got 'Flip'.*RGBToFlow"),
        (dict(rgb={}, other=dict(replace=('a',))), r"views\.other\.replace: got \('a',\)"),
        (dict(rgb={}, other=dict(OTHER, align='middle')), r"align: got 'middle'; expected 'start' or 'end'"),
        (dict(rgb={}, other=dict(OTHER, shift=0.5)), r'shift: got 0.5'),
        (dict(rgb=dict(shift=2)), r'views\.rgb\.shift: got 2 for a view of the clip itself'),
        (dict(other=OTHER), 'views of other files alone.*expected one without `replace`'),
        (dict(rgb=3), r'views\.rgb: got 3; expected a dict'),
    ],
)
def test_wrong_views_are_named(views, says):
    with pytest.raises((ValueError, KeyError), match=says):
        MultiView(plain(), views)


@pytest.mark.parametrize(
    'pipeline, says',
    [
        (student_pipeline(layout='NCHW'), r"input_format='NCHW'.*expected 'NCTHW'"),
        (plain(dict(type='RGBToFlow')), 'expected RGB frames; put what derives another modality'),
        (plain(dict(type='ThreeCrop', crop_size=32)), 'ThreeCrop in pipeline makes several crops'),
        (plain()[:2], 'expected an ordinary pipeline with a decoder'),
        (plain()[1:], r'views\.other\.replace: got a pipeline that does not begin with opening a video'),
    ],
)
def test_wrong_pipelines_are_named(pipeline, says):
    with pytest.raises(ValueError, match=says):
        MultiView(pipeline, dict(rgb={}, other=OTHER))
