import random

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from view_videos import HEIGHT, WIDTH, sample_of, student_pipeline, teacher_pipeline, write_video

from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.core.restoring import get_random_state
from mmkd_video.views import DistillViews

FLIP = dict(type='Flip', flip_ratio=0.5)
CROP = [dict(type='RandomResizedCrop'), dict(type='Resize', scale=(32, 32), keep_ratio=False)]
JITTER = dict(type='ColorJitter', hue=0.0)
ERASING = dict(type='RandomErasing', erase_prob=1.0, mode='rand')
AUGMENTINGS = {
    'none': [],
    'crop, flip, colour': [dict(type='Resize', scale=(-1, 48)), *CROP, FLIP, JITTER],
    'lazy': [
        dict(type='Resize', scale=(-1, 48), lazy=True),
        dict(type='MultiScaleCrop', input_size=32, scales=(1, 0.8), lazy=True),
        dict(type='Resize', scale=(32, 32), keep_ratio=False, lazy=True),
        dict(FLIP, lazy=True),
        dict(type='Fuse'),
    ],
    'erasing': [dict(type='RandomRescale', scale_range=(40, 60)), dict(type='RandomCrop', size=32), FLIP, ERASING],
}


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp('videos') / 'a.mp4', 48)


def seed(number):
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


def build(*args, **kwargs):
    seed(7)  # ColorJitter draws when it is built
    return DistillViews(*args, **kwargs)


def run(views, video, number=0):
    seed(number)
    return views(sample_of(video))


def position_error(student, teacher):
    """Largest distance between two clips (C, T, H, W) of one region in red and green, on a common grid."""
    grids = [
        torch.nn.functional.interpolate(clip.float().mean(1)[None], (16, 16), mode='bilinear', antialias=True)[0, :2]
        for clip in (student, teacher)
    ]
    return (grids[0] - grids[1]).abs().max().item()


@pytest.mark.parametrize('sampler', [None, dict(type='SampleFrames', clip_len=1, num_clips=6)])
@pytest.mark.parametrize('augmenting', AUGMENTINGS.values(), ids=AUGMENTINGS)
def test_the_student_gets_what_its_plain_pipeline_gives_bit_for_bit(video, augmenting, sampler):
    pipeline = student_pipeline(*augmenting, sampler=sampler)
    if sampler:
        pipeline[-2] = dict(type='FormatShape', input_format='NCHW')
    views = build(pipeline, teacher_pipeline())
    seed(7)
    plain = Compose([TRANSFORMS.build(step) for step in pipeline])
    for number in range(4):
        mine = run(views, video, number)
        state = get_random_state()
        seed(number)
        theirs = plain(sample_of(video))
        assert torch.equal(mine['inputs'], theirs['inputs'])
        assert mine['data_samples'].gt_label.equal(theirs['data_samples'].gt_label)
        assert mine['data_samples'].metainfo == theirs['data_samples'].metainfo
        after = get_random_state()
        assert state['python'] == after['python'] and torch.equal(state['torch'], after['torch'])
        assert np.array_equal(state['numpy'][1], after['numpy'][1]) and state['numpy'][2] == after['numpy'][2]


@pytest.mark.parametrize('augmenting', [AUGMENTINGS['crop, flip, colour'][:-1], AUGMENTINGS['lazy']])
def test_crop_and_flip_agree(video, augmenting):
    views = build(student_pipeline(*augmenting), teacher_pipeline(64))
    flips = set()
    for number in range(8):
        sample = run(views, video, number)
        student, teacher = sample['inputs'][0], sample['views']['teacher'][0]
        assert teacher.shape == (3, 8, 64, 64) and teacher.dtype == torch.uint8
        assert position_error(student, teacher) < 12  # grey levels; a pixel of the video is 2.7 by 4
        flips.add(bool(student[0, 0, 16, 0] > student[0, 0, 16, -1]))
    assert flips == {False, True}


def test_a_flip_before_the_crop_agrees(video):
    views = build(student_pipeline(dict(FLIP, flip_ratio=1.0), dict(type='RandomCrop', size=24)), teacher_pipeline(48))
    for number in range(4):
        sample = run(views, video, number)
        assert position_error(sample['inputs'][0], sample['views']['teacher'][0]) < 12


def test_quality_is_not_lost_to_a_small_student(video):
    small = [dict(type='Resize', scale=(8, 8), keep_ratio=False)]
    sample = run(build(student_pipeline(*small), teacher_pipeline(64)), video)
    row = sample['views']['teacher'][0, 0, 0, 32].float()
    assert (row.diff() > 0.5).float().mean() > 0.9  # eight columns would leave plateaus


def test_colour_and_erased_patch_agree(video):
    half = dict(type='Resize', scale=(24, 24), keep_ratio=False)
    steps = [dict(type='RandomCrop', size=48), half, JITTER, dict(ERASING, mode='const', fill_color=0)]
    views = build(student_pipeline(*steps), teacher_pipeline(48))
    for number in range(4):
        sample = run(views, video, number)
        student, teacher = sample['inputs'][0].float(), sample['views']['teacher'][0].float()
        erased = (student[:2].sum((0, 1)) == 0).repeat_interleave(2, 0).repeat_interleave(2, 1)
        assert torch.equal(erased, teacher[:2].sum((0, 1)) == 0)
        assert position_error(student, teacher) < 8


def test_teacher_frames_lie_in_the_students_span(video):
    views = build(student_pipeline(), teacher_pipeline(clip_len=4, frame_interval=3, size=WIDTH))
    for number in range(4):
        sample = run(views, video, number)
        student, teacher = (
            clip[0, 2].float().mean((1, 2)) / 255 * 47 for clip in (sample['inputs'], sample['views']['teacher'])
        )
        assert student[0] <= teacher[0] and teacher[-1] <= student[-1]
        assert torch.allclose(teacher.diff(), torch.tensor(3.0), atol=0.7)


def test_one_video_is_decoded_once(video, monkeypatch):
    import decord

    asked = []
    get_batch = decord.VideoReader.get_batch

    def counting(self, indices):
        asked.append(list(indices))
        return get_batch(self, indices)

    monkeypatch.setattr(decord.VideoReader, 'get_batch', counting)
    run(build(student_pipeline(), dict(a=teacher_pipeline(), b=teacher_pipeline(frame_interval=2))), video)
    assert len(asked) == 1 and asked[0] == sorted(set(asked[0]))


def test_segment_teacher_and_layouts(video):
    teachers = dict(
        tsn=teacher_pipeline(type='SampleFrames', clip_len=1, num_clips=4, layout='NCHW'),
        i3d=teacher_pipeline(size=32, clip_len=16),
    )
    sample = run(build(student_pipeline(), teachers), video)
    assert sample['views']['tsn'].shape == (4, 3, 64, 64)
    assert sample['views']['i3d'].shape == (1, 3, 16, 32, 32)
    assert sample['inputs'].shape == (1, 3, 8, HEIGHT, WIDTH)


def test_name_and_stretch(video):
    views = build(student_pipeline(), teacher_pipeline(clip_len=64), span='stretch', name='big')
    assert run(views, video)['views']['big'].shape == (1, 3, 64, 64, 64)


def test_view_longer_than_the_video_is_an_error_or_clamped(video):
    long = teacher_pipeline(clip_len=32, frame_interval=2)
    with pytest.raises(ValueError, match=r"view 'teacher' is longer than the video: needs 63 .* found 48 in .*a.mp4"):
        run(build(student_pipeline(), long), video)
    clamped = run(build(student_pipeline(), long, on_short='clamp'), video)
    assert clamped['views']['teacher'].shape[2] == 32


@pytest.mark.parametrize(
    ('steps', 'message'),
    [
        ([dict(type='TenCrop', crop_size=32)], 'TenCrop.*several crops'),
        ([dict(type='ImgAug', transforms='default')], 'ImgAug draws from a generator of its own'),
    ],
)
def test_what_no_view_can_follow_is_refused_at_build(steps, message):
    with pytest.raises(ValueError, match=message):
        build(student_pipeline(*steps), teacher_pipeline())


def test_pipeline_without_decoder_and_wrong_options_are_refused():
    with pytest.raises(ValueError, match='with a decoder'):
        build([dict(type='FormatShape', input_format='NCHW')], teacher_pipeline())
    with pytest.raises(ValueError, match="span: got 'around'"):
        build(student_pipeline(), teacher_pipeline(), span='around')


def test_unrecorded_change_of_size_is_refused(video):
    class Halve:
        def __call__(self, results):
            results['imgs'] = [frame[::2, ::2] for frame in results['imgs']]
            return results

    views = build(student_pipeline(), teacher_pipeline())
    views.augmenting = [Halve()]
    with pytest.raises(ValueError, match='Halve changed the size'):
        run(views, video)


def test_frames_of_flow_go_through_the_teachers_own_pipeline(video):
    pipeline = student_pipeline(*AUGMENTINGS['crop, flip, colour'][:-1])
    views = build(pipeline, pipeline)
    seed(0)
    sample = views(dict(sample_of(video), modality='Flow'))
    seed(0)
    plain = Compose([TRANSFORMS.build(step) for step in pipeline])(dict(sample_of(video), modality='Flow'))
    assert torch.equal(sample['inputs'], plain['inputs'])
    assert torch.equal(sample['views']['teacher'], plain['inputs'])


def test_a_config_builds_it(video):
    from mmengine.config import ConfigDict

    views = TRANSFORMS.build(
        ConfigDict(type='DistillViews', student=student_pipeline(FLIP), teacher=teacher_pipeline())
    )
    assert set(run(views, video)['views']) == {'teacher'}
    assert 'teacher: 1x8x1' in repr(views)


def test_a_view_of_its_own_augmentation_has_the_same_frames(video):
    strong, weak = student_pipeline(*CROP, FLIP, JITTER), student_pipeline(dict(type='Resize', scale=(32, 32)))
    for number in range(3):
        own = run(build(strong, weak, augment='own'), video, number)
        assert torch.equal(own['inputs'], run(Compose(strong), video, number)['inputs'])
        assert torch.equal(own['views']['teacher'], run(Compose(weak), video, number)['inputs'])
    with pytest.raises(ValueError, match="augment: got 'mine'; expected 'student', 'own' or 'another'"):
        build(strong, weak, augment='mine')


def test_equal_pipelines_with_draws_of_their_own_give_two_views_of_a_clip(video):
    strong = student_pipeline(*CROP, FLIP, JITTER)
    views = build(strong, strong, augment='another')
    made = [run(views, video, number) for number in (0, 1, 0)]
    for sample, number in zip(made, (0, 1, 0), strict=True):
        assert torch.equal(sample['inputs'], run(Compose(strong), video, number)['inputs'])
        assert not torch.equal(sample['inputs'], sample['views']['teacher'])
    first, second, again = (sample['views']['teacher'] for sample in made)
    assert torch.equal(first, again) and not torch.equal(first, second)
