import pytest
import torch
import zoo

from mmkd_video.core.registry import MODELS
from mmkd_video.functional import batch_norm_margin

CONNECTOR = dict(type='ProjectionConnector', norm=True)


def build(teacher: str, tap: str, **term) -> torch.nn.Module:
    ours, our_size = zoo.config_of('tsm_mobilenet')
    theirs, their_size = zoo.config_of(teacher)
    at = dict(student='backbone.conv2:pre', teacher=tap)
    return MODELS.build(
        dict(
            type='Distiller',
            student=ours,
            teacher=dict(config=theirs, checkpoint=None),
            terms=[dict(type='OFDLoss', at=at, **term)],
            input_size=dict(student=our_size, teacher=their_size),
        )
    ).train()


@pytest.mark.parametrize(
    ('teacher', 'norm'), [('i3d', 'backbone.layer4.1.conv2.bn'), ('tsn_r18', 'backbone.layer4.1.conv2.bn')]
)
def test_margins_are_those_of_the_teachers_norm(teacher: str, norm: str) -> None:
    model = build(teacher, 'backbone.layer4:pre', connector=CONNECTOR)
    theirs = model.teachers['teacher'].module.get_submodule(norm)
    loss = model.training_state.terms['ofd'].loss
    assert torch.equal(loss.margin, batch_norm_margin(theirs.weight, theirs.bias).double())
    assert (loss.margin < 0).all()
    data = model.data_preprocessor(zoo.batch_for(*zoo.config_of('tsm_mobilenet')), True)
    out = model(**data, mode='loss')
    out['loss_ofd'].backward()
    assert out['ofd_raw'].isfinite() and model.student.backbone.conv2.conv.weight.grad.abs().sum() > 0


def test_margins_that_are_given_are_kept() -> None:
    model = build('i3d', 'backbone.layer4', margin=[-0.25] * 64)
    assert model.training_state.terms['ofd'].loss.margin.tolist() == [-0.25] * 64


def test_a_tap_behind_the_activation_is_an_error_of_the_config() -> None:
    with pytest.raises(ValueError, match="teacher tap 'backbone.layer4': an activation follows the batch norm"):
        build('i3d', 'backbone.layer4')


def test_the_resumed_margins_come_from_the_teacher() -> None:
    model = build('i3d', 'backbone.layer4:pre')
    assert not any('margin' in key for key in model.training_state_dict())
