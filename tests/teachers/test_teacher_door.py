"""Teachers of other kinds, each in a few lines: what the protocol must make natural."""

import copy

import pytest
import torch
from distillations import KD, batch, distiller_config, step
from torch import nn

from mmkd_video.core.registry import MODELS
from mmkd_video.teachers import Teacher

NUM_CLASSES = 5


@MODELS.register_module()
class TableTeacher(Teacher):
    """Knows its answers by heart: it reads the index of a clip, and sees none."""

    view = None

    def __init__(self, clips=20, scale=3.0, name='teacher'):
        super().__init__(name)
        self.table = scale * torch.eye(NUM_CLASSES).repeat(clips, 1)

    @property
    def num_classes(self):
        return NUM_CLASSES

    def bind(self, taps, probe):
        return dict(logits=self.table[:1])

    def teach(self, step):
        assert step.view is None and step.student is None
        return dict(logits=self.table[step.indices])

    def apply_to(self, function):
        self.table = function(self.table)


@MODELS.register_module()
class AveragedTeacher(Teacher):
    """A moving average of the student: without gradients, moved after every step, kept in checkpoints."""

    def __init__(self, momentum=0.5, name='teacher'):
        super().__init__(name)
        self.momentum = momentum

    @property
    def data_preprocessor(self):
        return self.state.data_preprocessor

    def bind(self, taps, probe):
        self.state = copy.deepcopy(probe.student).requires_grad_(False).eval()
        return dict(logits=probe.features['logits'])

    @torch.no_grad()
    def teach(self, step):
        return dict(logits=self.state.eval()(step.view, stage='head'))

    @torch.no_grad()
    def after_step(self, student):
        for mine, other in zip(self.state.parameters(), student.parameters(), strict=True):
            mine.lerp_(other, 1 - self.momentum)


@MODELS.register_module()
class DeepToShallow(Teacher):
    """The student itself: its last features teach those of an earlier place."""

    view = None
    student_taps = ('backbone.conv2',)

    def bind(self, taps, probe):
        return {'deep': probe.features['backbone.conv2']}

    def teach(self, step):
        return {'deep': step.student['backbone.conv2'].detach()}


@MODELS.register_module()
class Peer(Teacher):
    """Another head on the student's pooled features, which learns from the labels."""

    view = None
    student_taps = ('pooled',)

    def bind(self, taps, probe):
        self.state = nn.Linear(probe.features['pooled'].shape[1], NUM_CLASSES)
        return dict(logits=self.state(probe.features['pooled']).detach())

    def teach(self, step):
        return dict(logits=self.state(step.student['pooled'].detach()).detach())

    def losses(self, step, features):
        scores = self.state(step.student['pooled'].detach())
        return dict(task=nn.functional.cross_entropy(scores, step.labels))


def build(teacher, terms=(KD,), **extra):
    config = distiller_config(terms=terms, **extra)
    return MODELS.build(dict(config, teacher=teacher)).train()


def data_for(model, **extra):
    data = batch(model, **extra)
    for index, sample in enumerate(data['data_samples']):
        sample.set_metainfo(dict(sample_idx=index))
    return data


def test_a_teacher_that_sees_no_clip_teaches_by_index():
    model = build(dict(type='TableTeacher'))
    data = data_for(model)
    assert 'teacher' not in data.get('views', {})
    losses = step(model, data)
    assert losses['kd_raw'] > 0 and any(p.grad is not None for p in model.student.parameters())
    sharper = build(dict(type='TableTeacher', scale=30.0))
    assert step(sharper, data_for(sharper))['kd_raw'] > losses['kd_raw']


def test_an_average_of_the_student_follows_it_and_is_kept():
    model = build(dict(type='AveragedTeacher'))
    kept = [key for key in model.training_state_dict() if key.startswith('teachers.teacher.')]
    assert len(kept) == len(model.student.state_dict())
    assert not any('teacher' in key for key in model.state_dict())
    step(model, data_for(model))
    before = model.teachers['teacher'].state.cls_head.fc_cls.weight.clone()
    with torch.no_grad():
        model.student.cls_head.fc_cls.weight += 1.0
    model.after_step()
    after = model.teachers['teacher'].state.cls_head.fc_cls.weight
    assert torch.allclose(after, before + 0.5, atol=1e-6)
    optimizer = model.build_optim_wrapper(dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1)))
    held = {id(p) for group in optimizer.optimizer.param_groups for p in group['params']}
    assert not held & {id(p) for p in model.teachers['teacher'].state.parameters()}


def test_a_student_teaches_itself():
    term = dict(type='FitNetLoss', at=('backbone.layer7', 'deep'), weight=1.0)
    model = build(dict(type='DeepToShallow'), terms=[term])
    losses = step(model, data_for(model))
    assert losses['fitnet_raw'] > 0
    assert model.student.backbone.layer7[0].conv[0].conv.weight.grad.abs().sum() > 0


def test_a_peer_learns_too():
    model = build(dict(type='Peer'))
    losses = step(model, data_for(model))
    assert losses['loss_teacher_task'] > 0
    peer = model.teachers['teacher'].state
    assert peer.weight.grad.abs().sum() > 0
    optimizer = model.build_optim_wrapper(dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1)))
    held = [id(p) for group in optimizer.optimizer.param_groups for p in group['params']]
    assert held.count(id(peer.weight)) == 1


def test_several_kinds_teach_side_by_side():
    terms = [dict(KD, teacher='table'), dict(KD, teacher='average', name='second')]
    teachers = dict(table=dict(type='TableTeacher'), average=dict(type='AveragedTeacher'))
    model = build(teachers, terms=terms, input_size=None)
    assert {'loss_kd', 'loss_second'} <= set(step(model, data_for(model)))


@pytest.mark.parametrize(
    ('teacher', 'terms', 'said'),
    [
        (dict(type='DeepToShallow'), [KD], "a term reads 'logits', which this DeepToShallow does not have"),
        (dict(type='KDLoss'), [KD], "teacher.type: got 'KDLoss'; expected the name of a teacher"),
        (dict(type='TableTeacher', clip=3), [KD], "'clip'"),
        (
            dict(type='TableTeacher'),
            [dict(type='SRRLLoss', at=('pooled', 'logits'), weight=1.0)],
            'no linear classifier',
        ),
    ],
)
def test_what_a_teacher_cannot_is_said_when_it_is_built(teacher, terms, said):
    with pytest.raises((KeyError, ValueError), match=said):
        build(teacher, terms=terms)


def test_what_a_teacher_cannot_is_said_with_the_remedy():
    with pytest.raises(ValueError, match='teacher: got a TableTeacher, which has no linear classifier; use another'):
        TableTeacher().classifier()


def test_an_average_survives_pruning_of_connectors():
    terms = [KD, dict(type='FitNetLoss', at=('backbone.layer4', 'backbone.layer4'), weight=1.0, teacher='i3d')]
    config = distiller_config(terms=terms)
    teachers = dict(peer=dict(type='Peer'), i3d=config['teacher'])
    config['input_size']['i3d'] = config['input_size'].pop('teacher')
    model = MODELS.build(dict(config, teacher=teachers, terms=[dict(KD, teacher='peer'), terms[1]]))
    weight = model.teachers['peer'].state.weight
    kept = {tap: torch.ones(feature.shape[1], dtype=torch.bool) for tap, feature in model.tap_features().items()}
    model.refit(kept)
    assert model.training_state.teachers['peer'].weight is weight
