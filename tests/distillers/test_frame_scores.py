"""Class scores of every frame: KD by frame, labels of frames, and what knows whole clips only."""

import pytest
import tiny
import torch
from mmaction.structures import ActionDataSample

from mmkd_video.core.registry import MODELS
from mmkd_video.datasets.label_check import wrong_label
from mmkd_video.export import DeployableRecognizer
from mmkd_video.functional import kd

FRAMES = tiny.SIZE[0]
TERMS = [dict(type='KDLoss', at='logits', weight=1.0), dict(type='BoundaryKDLoss', at='logits', weight=1.0)]


def recognizer(channels=8):
    config = tiny.recognizer(channels)
    config['cls_head'] = dict(type='FrameHead', num_classes=5, in_channels=channels, num_frames=FRAMES)
    return config


def distiller(terms=TERMS):
    teacher = dict(config=recognizer(12), checkpoint=None)
    torch.manual_seed(0)
    config = dict(type='Distiller', student=recognizer(), teacher=teacher, terms=terms, input_size=tiny.SIZE)
    return MODELS.build(config).train()


def step(model, labels=(0, 1, 1, 2, 2, 3, 3, -1)):
    clips = torch.randint(0, 256, (2, 1, 3, *tiny.SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    samples = [ActionDataSample().set_gt_label(torch.tensor(labels)) for _ in clips]
    return model.data_preprocessor(dict(inputs=list(clips), data_samples=samples), True)


def test_each_frame_is_a_row_of_losses_of_class_scores():
    model = distiller()
    model.student.eval()
    batch = step(model)
    losses = model(**batch, mode='loss')
    with torch.no_grad():
        student = model.student(batch['inputs'], stage='head', mode='tensor')
        teacher = model.teachers['teacher'].module(batch['views']['teacher'], stage='head', mode='tensor')
    assert student.shape == teacher.shape == (2, FRAMES, 5)
    expected = kd(student.flatten(0, 1), teacher.flatten(0, 1), 4.0)
    assert losses['kd_raw'].item() == pytest.approx(expected.item(), rel=1e-3)
    assert {'loss_cls', 'loss_smooth', 'loss_boundarykd'} <= set(losses)
    assert model.first_batches['teacher'].clips == 2 * 7  # frames with a class
    model.parse_losses(losses)[0].backward()
    assert all(parameter.grad is not None for parameter in model.student.parameters())


def test_labels_of_frames_go_with_their_rows():
    model = distiller([dict(type='DKDLoss', at='logits', weight=1.0)])
    found = model(**step(model, (0, 1, 1, 2, 2, 3, 3, 4)), mode='loss')
    assert found['dkd_raw'].isfinite()


def test_a_weighting_of_clips_is_refused():
    with pytest.raises(ValueError, match="term 'kd'.weight: .* but teacher scores every frame; give the term a number"):
        distiller([dict(type='KDLoss', at='logits', weight=dict(type='TeacherConfidence'))])


def test_a_file_of_a_student_that_scores_frames_is_refused():
    with pytest.raises(TypeError, match='export: FrameHead scores every frame, and exported files give one row'):
        DeployableRecognizer(distiller().student)


def test_labels_of_frames_are_checked_one_by_one():
    student = distiller().student
    samples = [ActionDataSample().set_gt_label(torch.tensor(labels)) for labels in ([0, 4, -1], [0, 5, 1])]
    assert wrong_label(samples[:1], student, labelled=True) is None
    assert 'got label 5, expected 0 to 4' in wrong_label(samples, student, labelled=True)
