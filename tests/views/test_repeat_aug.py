"""MMAction2's RepeatAugDataset, which MViT's recipes train with, takes a pipeline that decodes by itself."""

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.registry import FUNCTIONS
from view_videos import student_pipeline, teacher_pipeline, write_video

import mmkd_video  # noqa: F401
from mmkd_video.core.restoring import seed_everything
from mmkd_video.datasets.seeded import SeededDataset

CROP = [dict(type='RandomResizedCrop'), dict(type='Resize', scale=(32, 32), keep_ratio=False), dict(type='Flip')]
STUDENT = student_pipeline(*CROP, sampler=dict(type='SampleFrames', clip_len=8, frame_interval=2))


@pytest.fixture(scope='module')
def annotations(tmp_path_factory):
    folder = tmp_path_factory.mktemp('videos')
    lines = [f'{write_video(folder / f"{label}.mp4", 48)} {label}' for label in range(2)]
    (folder / 'list.txt').write_text('\n'.join(lines))
    return str(folder / 'list.txt')


def dataset(annotations, pipeline, **settings):
    return DATASETS.build(
        dict(type='RepeatAugDataset', ann_file=annotations, pipeline=pipeline, num_repeats=3, **settings)
    )


@pytest.mark.parametrize('sample_once', [False, True])
def test_the_student_gets_the_repeats_that_it_gets_alone(annotations, sample_once):
    views = [dict(type='DistillViews', student=STUDENT, teacher=teacher_pipeline())]
    distilled = dataset(annotations, views, sample_once=sample_once)
    plain = dataset(annotations, STUDENT, sample_once=sample_once)
    for index in range(2):
        seed_everything(3, index)
        mine = distilled[index]
        seed_everything(3, index)
        theirs = plain[index]
        assert len(mine) == len(theirs) == 3
        for one, other in zip(mine, theirs, strict=True):
            assert torch.equal(one['inputs'], other['inputs'])
            assert one['data_samples'].gt_label.equal(other['data_samples'].gt_label)
            assert one['views']['teacher'].shape == (1, 3, 8, 64, 64)
        assert not torch.equal(mine[0]['inputs'], mine[1]['inputs'])


def test_the_teacher_sees_the_moment_of_each_repeat(annotations):
    sampler = dict(type='SampleFrames', clip_len=8, frame_interval=2)
    views = [dict(type='DistillViews', student=student_pipeline(sampler=sampler), teacher=teacher_pipeline())]
    samples = dataset(annotations, views)[0]
    moments = [[clip[0, 2].float().mean().item() for clip in (s['inputs'], s['views']['teacher'])] for s in samples]
    assert np.ptp([student for student, _ in moments]) > 10
    assert all(abs(student - teacher) < 6 for student, teacher in moments)


def test_every_repeat_knows_its_place_in_the_training_set(annotations):
    views = [dict(type='DistillViews', student=STUDENT, teacher=teacher_pipeline())]
    collate = FUNCTIONS.get('repeat_pseudo_collate')
    seeded = SeededDataset(dataset(annotations, views), seed=0)
    batch = collate([seeded[1], seeded[0]])
    assert [sample.metainfo['sample_idx'] for sample in batch['data_samples']] == [1, 1, 1, 0, 0, 0]
    assert len(batch['views']['teacher']) == len(batch['inputs']) == 6


def test_a_single_transform_that_cannot_repeat_is_named(annotations):
    with pytest.raises(ValueError, match=r'RepeatAugDataset.*got the one transform Flip.*DecordInit.*DistillViews'):
        dataset(annotations, [dict(type='Flip')])


def test_distill_views_of_a_pipeline_that_does_more_before_it_decodes_is_told(annotations):
    views = [dict(type='DistillViews', student=[STUDENT[0], STUDENT[1], *STUDENT[1:]], teacher=teacher_pipeline())]
    with pytest.raises(ValueError, match=r"RepeatAugDataset.*'SampleFrames', 'SampleFrames'.*expected two steps"):
        dataset(annotations, views)[0]
