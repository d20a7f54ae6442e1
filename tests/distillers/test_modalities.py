"""Skeletons, heatmaps, RGB with heatmaps, audio and flow: as students and as teachers, and beside RGB."""

import copy
import pickle

import modalities
import numpy as np
import pytest
import torch
import zoo
from mmaction.registry import DATASETS
from mmengine.dataset import pseudo_collate

from mmkd_video.core.registry import MODELS

PAIRS = [
    ('posec3d', 'posec3d'),
    ('stgcn', 'stgcnpp'),
    ('stgcnpp', 'agcn'),
    ('agcn', 'stgcn'),
    ('rgbpose', 'rgbpose'),
    ('audio', 'audio'),
    ('flow', 'flow'),
]
KD = dict(type='KDLoss', at='logits', weight=1.0)


def distiller(student, teacher, *terms, **keys):
    teacher = dict(config=teacher, checkpoint=None, **keys)
    return MODELS.build(dict(type='Distiller', student=student, teacher=teacher, terms=[KD, *terms])).train()


def step(model, data):
    losses = model(**model.data_preprocessor(copy.deepcopy(data), True), mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    return losses


@pytest.mark.parametrize('student, teacher', PAIRS, ids=lambda name: name)
def test_a_training_step_and_validation_within_a_modality(student, teacher):
    at = (modalities.MAPS[student], modalities.MAPS[teacher])
    model = distiller(*map(modalities.config_of, (student, teacher)), dict(type='FitNetLoss', at=at, weight=1.0))
    losses = step(model, modalities.batch_of(student))
    assert torch.isfinite(losses['loss_kd']) and losses['loss_kd'] > 0 and losses['loss_fitnet'] > 0
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.student.parameters())
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.student.backbone.parameters())
    model.eval()
    data = model.data_preprocessor(modalities.batch_of(student), False)
    assert len(model(**data, mode='predict')) == 2


@pytest.mark.parametrize(
    'name, shape',
    [
        ('posec3d', (2, 32, 4, 4, 4)),
        ('stgcn', (2, 16, 4, modalities.PERSONS, modalities.JOINTS)),
        ('audio', (2, 512, 1, 2, 1)),
    ],
)
def test_maps_have_their_time_where_losses_look_for_it(name, shape):
    model = distiller(modalities.config_of(name), modalities.config_of(name), dict(type='FitNetLoss', at='backbone'))
    data = model.data_preprocessor(modalities.batch_of(name), True)
    assert model.tap_features(data['inputs'])['backbone'].shape == shape


def test_the_scores_of_several_heads_are_those_of_their_mean_probability():
    model = distiller(modalities.config_of('rgbpose'), modalities.config_of('rgbpose'))
    data = model.data_preprocessor(modalities.batch_of('rgbpose'), True)
    found = model.tap_features(data['inputs'])['logits'].softmax(1)
    model.eval()
    scores = model.student.extract_feat(dict(data['inputs']), stage='head')[0]
    assert torch.allclose(found, sum(each.softmax(1) for each in scores.values()) / 2, atol=1e-6)


@pytest.mark.parametrize(
    'student, teacher, says',
    [
        ('tsn_r18', 'stgcn', r'teacher sees skeletons.*C=3, the student frames'),
        ('tsn_r18', 'posec3d', r'teacher sees clips.*C=17, the student frames.*C=3'),
        ('tsn_r18', 'flow', r'teacher sees frames.*C=10'),
        ('tsn_r18', 'audio', r'teacher sees audio'),
        ('i3d', 'rgbpose', r'teacher sees several'),
        ('stgcn', 'posec3d', r'the student skeletons'),
    ],
)
def test_a_teacher_of_another_modality_without_a_view_is_one_clear_line(student, teacher, says):
    rgb = student in zoo.ZOO
    ours = zoo.config_of(student)[0] if rgb else modalities.config_of(student)
    model = distiller(ours, modalities.config_of(teacher))
    data = zoo.batch_for(*zoo.config_of(student)) if rgb else modalities.batch_of(student)
    with pytest.raises(ValueError, match=says + r'.*DistillViews') as caught:
        step(model, data)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('teacher', ['stgcn', 'posec3d', 'flow', 'audio', 'rgbpose'])
def test_an_rgb_student_learns_from_the_view_that_the_pipeline_gives(teacher):
    model = distiller(zoo.config_of('tsn_r18')[0], modalities.config_of(teacher), view='own')
    views = dict(teacher=modalities.collate([modalities.sample_of(teacher, seed) for seed in range(2)]))
    losses = step(model, zoo.batch_for(*zoo.config_of('tsn_r18'), views=views))
    assert torch.isfinite(losses['loss_kd']) and losses['loss_kd'] > 0


def test_a_view_of_other_channels_is_told():
    model = distiller(zoo.config_of('tsn_r18')[0], modalities.config_of('posec3d'))
    views = dict(teacher=[torch.rand(1, 3, 8, 32, 32)] * 2)
    with pytest.raises(ValueError, match=r'teacher: got a view of shape \(1, 3, 8, 32, 32\); expected clips.*C=17'):
        step(model, zoo.batch_for(*zoo.config_of('tsn_r18'), views=views))


GRAPH = [
    dict(type='PreNormalize2D'),
    dict(type='GenSkeFeat', dataset='coco', feats=['j']),
    dict(type='UniformSampleFrames', clip_len=8),
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=2),
    dict(type='PackActionInputs'),
]
HEATMAPS = [
    dict(type='UniformSampleFrames', clip_len=8),
    dict(type='PoseDecode'),
    dict(type='PoseCompact', hw_ratio=1.0, allow_imgpad=True),
    dict(type='Resize', scale=(32, 32), keep_ratio=False),
    dict(type='GeneratePoseTarget', sigma=0.6, use_score=True, with_kp=True, with_limb=False),
    dict(type='FormatShape', input_format='NCTHW_Heatmap'),
    dict(type='PackActionInputs'),
]


@pytest.fixture(scope='module')
def skeletons(tmp_path_factory):
    rng = np.random.default_rng(0)
    annotations = [
        dict(frame_dir=f'video{i}', label=i, img_shape=(64, 64), original_shape=(64, 64), total_frames=20,
             keypoint=rng.uniform(8, 56, (2, 20, 17, 2)).astype(np.float32),
             keypoint_score=rng.uniform(0.5, 1, (2, 20, 17)).astype(np.float32))
        for i in range(2)
    ]  # fmt: skip
    path = tmp_path_factory.mktemp('skeletons') / 'train.pkl'
    path.write_bytes(pickle.dumps(annotations))
    return str(path)


def loaded(skeletons, student, teacher):
    pipeline = [dict(type='DistillViews', student=student, teacher=teacher)]
    dataset = DATASETS.build(dict(type='PoseDataset', ann_file=skeletons, pipeline=pipeline))
    np.random.seed(0)
    return pseudo_collate([dataset[0], dataset[1]])


def test_skeletons_through_distill_views_are_the_students_own_sample(skeletons):
    batch = loaded(skeletons, GRAPH, GRAPH)
    assert all(torch.equal(*pair) for pair in zip(batch['inputs'], batch['views']['teacher'], strict=True))
    plain = DATASETS.build(dict(type='PoseDataset', ann_file=skeletons, pipeline=GRAPH))
    np.random.seed(0)
    assert all(torch.equal(plain[i]['inputs'], batch['inputs'][i]) for i in range(2))
    model = distiller(modalities.config_of('stgcn'), modalities.config_of('stgcnpp'), view='own')
    assert torch.isfinite(step(model, batch)['loss_kd'])


def test_a_teacher_of_heatmaps_sees_those_of_the_students_skeletons(skeletons):
    batch = loaded(skeletons, GRAPH, HEATMAPS)
    assert batch['views']['teacher'][0].shape == (1, 17, 8, 32, 32)
    model = distiller(modalities.config_of('stgcn'), modalities.config_of('posec3d'), view='own')
    assert torch.isfinite(step(model, batch)['loss_kd'])


def test_what_the_data_set_does_not_hold_is_named(skeletons):
    audio = [dict(type='LoadAudioFeature'), dict(type='FormatAudioShape', input_format='NCTF')]
    with pytest.raises(ValueError, match=r"view 'teacher': LoadAudioFeature needs 'audio_path' of a sample.*keypoint"):
        loaded(skeletons, GRAPH, audio)


@pytest.mark.parametrize('kind, what', [('BMN', 'a localizer'), ('FastRCNN', 'a detector'), ('mmaction.DRN', 'a loc')])
@pytest.mark.parametrize('side', ['student', 'teacher'])
def test_what_scores_no_clips_is_refused_before_it_is_built(kind, what, side):
    models = dict(student=zoo.config_of('tsn_r18')[0], teacher=zoo.config_of('i3d')[0])
    models[side] = dict(type=kind)
    with pytest.raises(ValueError, match=rf'^{side}: got {kind.split(".")[-1]}, {what}.*expected a recognizer'):
        distiller(models['student'], models['teacher'])
