import pytest
from mmengine.config import Config

from mmkd_video.recognizers.pipelines import find_pipelines
from mmkd_video.recognizers.view_spec import ViewSpec

I3D = 'mmaction::recognition/i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py'
PIPELINE = [
    dict(type='SampleFrames', clip_len=4, frame_interval=2),
    dict(type='Resize', scale=(-1, 40)),
    dict(type='RandomCrop', size=32),
    dict(type='FormatShape', input_format='NCTHW'),
]


def read(pipeline):
    return ViewSpec.from_pipeline('teacher', pipeline)


def replaced(**sampler):
    return [sampler, *PIPELINE[1:]]


def test_a_config_of_mmaction2_is_read_by_its_name():
    view = read(find_pipelines(I3D, 'i3d')['i3d'])
    assert (view.clip_len, view.frame_interval, view.num_clips, view.stretch) == (32, 2, 1, False)
    assert view.size == (224, 224) and view.format_shape['input_format'] == 'NCTHW'


@pytest.mark.parametrize(
    'dataset',
    [
        dict(type='VideoDataset', pipeline=PIPELINE),
        dict(type='RepeatDataset', times=2, dataset=dict(type='VideoDataset', pipeline=PIPELINE)),
        dict(type='ConcatDataset', datasets=[dict(type='VideoDataset', pipeline=PIPELINE)]),
    ],
)
def test_the_dataset_of_a_config_is_unwrapped(dataset):
    config = dict(train_dataloader=dict(dataset=dataset))
    for teacher in (config, Config(config), dict(config=config, checkpoint='x.pth')):
        assert read(find_pipelines(teacher, 'teacher')['teacher']).clip_len == 4


def test_a_config_for_testing_only_gives_one_clip():
    test = replaced(type='SampleFrames', clip_len=4, frame_interval=2, num_clips=10, test_mode=True)
    config = dict(test_dataloader=dict(dataset=dict(pipeline=test)))
    assert read(find_pipelines(config, 't')['t']).num_clips == 1


def test_a_distilled_teacher_is_read_through_its_own_views():
    config = dict(train_pipeline=[dict(type='DistillViews', student=PIPELINE, teacher=[])])
    assert find_pipelines(config, 't')['t'] == PIPELINE


def test_several_teachers_are_told_by_name():
    found = find_pipelines(dict(a=PIPELINE, b=dict(train_pipeline=PIPELINE)), 'teacher')
    assert found == dict(a=PIPELINE, b=PIPELINE)


@pytest.mark.parametrize(
    ('sampler', 'expected'),
    [
        (dict(type='SampleFrames', clip_len=1, num_clips=8), (1, 8, 1, True)),
        (dict(type='UniformSample', clip_len=16), (16, 1, 1, True)),
        (dict(type='DenseSampleFrames', clip_len=1, num_clips=8), (1, 8, 8, False)),
        (dict(type='mmaction.SampleFrames', clip_len=8, frame_interval=8), (8, 1, 8, False)),
    ],
)
def test_each_sampler_is_understood(sampler, expected):
    view = read(replaced(**sampler))
    assert (view.clip_len, view.num_clips, view.frame_interval, view.stretch) == expected


@pytest.mark.parametrize(
    ('steps', 'size'),
    [
        ([dict(type='RandomResizedCrop'), dict(type='Resize', scale=(48, 40), keep_ratio=False)], (48, 40)),
        ([dict(type='Resize', scale=(-1, 40)), dict(type='CenterCrop', crop_size=32)], (32, 32)),
        ([dict(type='MultiScaleCrop', input_size=(32, 24)), dict(type='Resize', scale=(-1, 40))], (32, 24)),
        ([dict(type='RandomResizedCrop')], None),
        ([dict(type='Resize', scale=(-1, 40))], None),
    ],
)
def test_final_size(steps, size):
    assert read([PIPELINE[0], *steps, PIPELINE[-1]]).size == size


def test_errors_name_what_is_missing():
    with pytest.raises(ValueError, match='no transform has a `clip_len`'):
        read(PIPELINE[1:])
    with pytest.raises(ValueError, match='no FormatShape'):
        read(PIPELINE[:-1])
    with pytest.raises(ValueError, match='Recognizer3D.*names no pipeline'):
        find_pipelines(dict(type='Recognizer3D'), 'teacher')
    with pytest.raises(ValueError, match="no pipeline for view 'teacher'"):
        find_pipelines(dict(model=dict(type='Recognizer3D')), 'teacher')
