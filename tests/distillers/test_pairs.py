"""Every teacher family teaches both students, through logits and a feature, with equal and with own views."""

import pytest
import torch
import zoo

from mmkd_video.core.registry import MODELS

TEACHER_TAPS = {
    'i3d': 'backbone.layer3',
    'c3d': 'backbone',
    'slowfast': 'backbone[0]',
    'x3d': 'backbone.layer4',
    'tsn_r50': 'backbone.layer3',
    'tsm_r50': 'backbone.layer3',
    'swin3d': 'backbone.layers.2',
    'timesformer': 'backbone.transformer_layers',
}
STUDENT_TAPS = {'tsm_mobilenet': 'backbone.layer6', 'tsn_r18': 'backbone.layer3'}


def pair(student, teacher, frames=None):
    ours, our_size = zoo.config_of(student)
    theirs, their_size = zoo.config_of(teacher)
    if frames:  # the student looks at what the teacher looks at
        our_size = their_size
        for part in ('backbone', 'cls_head'):
            if 'num_segments' in ours[part]:
                ours[part]['num_segments'] = their_size[0]
    model = MODELS.build(
        dict(
            type='Distiller',
            student=ours,
            teacher=dict(config=theirs, checkpoint=None, view='student' if frames else 'own'),
            input_size=dict(student=our_size, teacher=their_size),
            terms=[
                dict(type='KDLoss', at='logits', weight=0.9),
                dict(type='FitNetLoss', at=(STUDENT_TAPS[student], TEACHER_TAPS[teacher])),
            ],
        )
    )
    return model.train(), ours, our_size, theirs, their_size


@pytest.mark.parametrize('student', STUDENT_TAPS)
@pytest.mark.parametrize(
    'teacher', [pytest.param(name, marks=pytest.mark.slow if name == 'c3d' else ()) for name in TEACHER_TAPS]
)
@pytest.mark.parametrize('view', ['equal', 'own'])
def test_a_step_of_every_pair_teaches_the_student(view, teacher, student):
    torch.manual_seed(0)
    model, ours, our_size, theirs, their_size = pair(student, teacher, frames=view == 'equal')
    data = zoo.batch_for(ours, our_size)
    if view == 'own':
        data['views'] = dict(teacher=[zoo.clip_for(theirs, their_size, seed=i) for i in range(2)])
    data = model.data_preprocessor(data, True)
    expected = model.teachers['teacher'].module
    losses = model(**data, mode='loss')
    model.parse_losses(losses)[0].backward()
    assert losses['kd_raw'] > 0 and losses['fitnet_raw'] > 0
    # the teacher saw clips in its own layout and normalisation
    raw = [zoo.clip_for(theirs, their_size, seed=i) for i in range(2)]
    if view == 'own' or ours['data_preprocessor']['format_shape'] == theirs['data_preprocessor']['format_shape']:
        alone = expected.data_preprocessor(dict(inputs=raw, data_samples=data['data_samples']), False)['inputs']
        assert torch.equal(data['views']['teacher'], alone)
    first = next(p for p in model.student.backbone.parameters() if p.requires_grad)
    assert first.grad is not None and torch.isfinite(first.grad).all()
