"""Clips that count as much as the teacher is sure, or right."""

import pytest
import torch
from distillations import batch, build, step
from torch import Tensor

from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.functional import kd
from mmkd_video.terms import Term, TermSpec
from mmkd_video.weightings import ClipWeighting, build_weighting

LOGITS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0], [1.0, 1.0, 0.9]])


def term_of(weight, kind='KDLoss', at='logits', **more):
    spec = TermSpec.parse(dict(type=kind, at=at, weight=weight, **more), 0)
    generator = torch.Generator().manual_seed(0)
    shape = (1, 3) if at == 'logits' else (1, 4, 2, 3, 3)
    example = torch.randn(shape, generator=generator)
    return Term(spec, {at: example}, {'logits': torch.randn(1, 3, generator=generator), at: example})


def context(labels=None, labelled=None):
    return dict(labels=labels, labelled=labelled)


def test_confidence_is_a_power_of_the_top_probability():
    weighting = build_weighting(dict(type='TeacherConfidence', power=2.0, temperature=4.0), 'weight')
    expected = (LOGITS / 4).softmax(1).max(1).values ** 2
    assert weighting.weigh(LOGITS, None).tolist() == pytest.approx(expected.tolist())
    assert weighting.weigh(torch.zeros(1, 5), None).tolist() == pytest.approx([1 / 25])


def test_a_right_teacher_counts_one_and_a_wrong_one_what_is_said():
    weighting = build_weighting(dict(type='TeacherCorrect', wrong=0.25, unlabelled=0.5), 'weight')
    assert weighting.weigh(LOGITS, torch.tensor([0, 2, -1, 0])).tolist() == [1.0, 0.25, 0.5, 1.0]
    assert weighting.weigh(LOGITS, None).tolist() == [0.5] * 4
    soft = torch.tensor([[0.2, 0.8, 0], [0.2, 0.8, 0], [0, 0, 0], [1, 0, 0]])
    assert weighting.weigh(LOGITS, soft).tolist() == [0.25, 1.0, 0.5, 1.0]


def test_a_term_is_the_mean_of_weight_times_loss_and_its_gradient_too():
    student = torch.randn(4, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    term = term_of(dict(type='TeacherCorrect', wrong=0.0, value=3.0), temperature=2.0)
    labels = torch.tensor([0, 2, 2, 1])
    raw = term({'logits': student}, {'logits': LOGITS}, context(labels))
    alone = [kd(student[i : i + 1], LOGITS[i : i + 1], 2.0) for i in (0, 2)]
    assert raw.item() == pytest.approx(sum(each.item() for each in alone) / 4)
    assert term.clip_weight.item() == 0.5
    raw.backward()
    assert (student.grad[[1, 3]] == 0).all() and (student.grad[[0, 2]] != 0).any()


def test_even_weights_are_no_weights():
    student = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    weighed = term_of(dict(type='TeacherCorrect', wrong=1.0), temperature=2.0)
    plain = term_of(1.0, temperature=2.0)
    raws = [term({'logits': student}, {'logits': LOGITS}, context()).item() for term in (weighed, plain)]
    assert raws[0] == pytest.approx(raws[1])
    assert plain.clip_weight is None


def test_maps_and_losses_with_labels_on_some_clips_are_weighed():
    maps = torch.randn(4, 4, 2, 3, 3, generator=torch.Generator().manual_seed(1))
    at = 'backbone.layer3'
    term = term_of(dict(type='TeacherCorrect'), 'FitNetLoss', at)
    labels = torch.tensor([0, 0, 2, -1])
    raw = term({at: maps}, {at: maps + 1, 'logits': LOGITS}, context(labels, [0, 1, 2]))
    assert raw.item() == pytest.approx(3 / 4, rel=1e-5)  # a squared error of 1 on the three that count
    dkd = term_of(dict(type='TeacherCorrect'), 'DKDLoss')
    student = torch.randn(4, 3, generator=torch.Generator().manual_seed(2))
    found = dkd({'logits': student}, {'logits': LOGITS}, context(labels, [0, 1, 2]))
    rows = term_of(1.0, 'DKDLoss')
    expected = [
        rows({'logits': student[i : i + 1]}, {'logits': LOGITS[i : i + 1]}, context(labels[i : i + 1])).item()
        for i in (0, 2)
    ]
    assert found.item() == pytest.approx(sum(expected) / 3, rel=1e-5)  # the wrong one counts 0, the fourth is not there


def test_a_training_step_logs_and_scales():
    weight = dict(type='TeacherConfidence', value=0.5)
    model = build(terms=[dict(type='KDLoss', at='logits', weight=weight)])
    losses = step(model, batch(model))
    assert losses['loss_kd'].item() == pytest.approx(0.5 * losses['kd_raw'].item(), rel=1e-5)
    assert 0.2 <= losses['kd_clip_weight'].item() < 1
    model.set_progress(0, 0, 1, 10)
    model.training_state.terms['kd'].begin = 5
    model.set_progress(0, 0, 1, 10)
    assert 'kd_clip_weight' not in step(model, batch(model))


@TASK_UTILS.register_module(name='FirstClip')
class FirstClipWeighting(ClipWeighting):
    """Looks at nothing but the place in the batch."""

    def weigh(self, scores: Tensor, labels: Tensor | None) -> Tensor:
        return torch.eye(len(scores))[0]


def test_a_weighting_of_somebody_else_weighs_clips():
    student = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    term = term_of(dict(type='FirstClip'), temperature=1.0)
    found = term({'logits': student}, {'logits': LOGITS}, context()).item()
    assert found == pytest.approx(kd(student[:1], LOGITS[:1], 1.0).item() / 4)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"term 'rkd'.weight: got TeacherCorrectWeighting.*RKDLoss relates the clips"):
        term_of(dict(type='TeacherCorrect'), 'RKDLoss')
    spec = TermSpec.parse(dict(type='KDLoss', at='logits', weight=dict(type='TeacherConfidence')), 0)
    with pytest.raises(ValueError, match='by the class scores of i3d, which has none'):
        spec.teacher = 'i3d'
        spec.pairs = [('pooled', 'pooled')]
        Term(spec, {'pooled': torch.zeros(1, 3)}, {'pooled': torch.zeros(1, 3)})
    with pytest.raises(ValueError, match='weight.wrong: got -1; expected a number of at least 0'):
        build_weighting(dict(type='TeacherCorrect', wrong=-1), 'weight')
    with pytest.raises(ValueError, match='weight.power: got 0; expected a number above 0'):
        build_weighting(dict(type='TeacherConfidence', power=0), 'weight')
