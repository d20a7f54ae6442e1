"""SimKD: the student keeps its teacher's classifier."""

import pytest
import torch
import zoo
from mmengine.runner import load_checkpoint, save_checkpoint

from mmkd_video.core.registry import MODELS, build_model

TERM = dict(type='FitNetLoss', at=('cls_head.projector', 'backbone.layer4'), name='simkd')


def student_config(name: str = 'tsm_mobilenet', **head) -> tuple:
    config, size = zoo.config_of(name)
    old = config['cls_head']
    config['cls_head'] = dict(
        type='SimKDHead',
        num_classes=old['num_classes'],
        in_channels=old['in_channels'],
        teacher_channels=64,
        num_segments=old.get('num_segments'),
        average_clips='prob',
        **head,
    )
    return config, size


def build(student: tuple, teachers: dict | None = None, terms: list | None = None, **teacher) -> torch.nn.Module:
    theirs, their_size = zoo.config_of('i3d')
    return MODELS.build(
        dict(
            type='Distiller',
            student=student[0],
            teacher=teachers or dict(config=theirs, checkpoint=None, **teacher),
            terms=terms or [TERM],
            task_weight=0.0,
            input_size=dict.fromkeys(teachers or ['teacher'], their_size) | dict(student=student[1]),
        )
    ).train()


def step(model: torch.nn.Module, name: str = 'tsm_mobilenet') -> dict:
    data = model.data_preprocessor(zoo.batch_for(*zoo.config_of(name)), True)
    losses = model(**data, mode='loss')
    model.parse_losses(losses)[0].backward()
    return losses


@pytest.mark.parametrize('name', ['tsm_mobilenet', 'i3d'])
def test_only_the_feature_trains_the_student(name: str) -> None:
    model = build(student_config(name))
    theirs = model.teachers['teacher'].module.cls_head.fc_cls
    model.init_weights()
    losses = step(model, name)
    assert losses['loss_simkd'] > 0 and losses['loss_cls'] == 0
    head = model.student.cls_head
    assert torch.equal(head.fc_cls.weight, theirs.weight) and torch.equal(head.fc_cls.bias, theirs.bias)
    assert head.fc_cls.weight.grad is None and head.fc_cls.weight is not theirs.weight
    assert all(p.grad.abs().sum() > 0 for key, p in head.projector.named_parameters() if key.startswith('0'))
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.student.backbone.parameters())
    assert not model.training_state_dict()


def test_initial_weights_of_the_student_do_not_replace_the_classifier(monkeypatch) -> None:
    model = build(student_config())
    head = model.student.cls_head
    monkeypatch.setattr(head, 'init_weights', lambda: torch.nn.init.zeros_(head.fc_cls.weight))
    model.init_weights()
    assert torch.equal(head.fc_cls.weight, model.teachers['teacher'].module.cls_head.fc_cls.weight)


def test_the_loss_is_the_mean_squared_error_of_the_projected_map() -> None:
    model = build(student_config('i3d'))
    seen = {}
    model.student.cls_head.projector.register_forward_hook(lambda *args: seen.update(student=args[2]))
    model.teachers['teacher'].module.backbone.layer4.register_forward_hook(lambda *args: seen.update(teacher=args[2]))
    losses = step(model, 'i3d')
    assert seen['student'].shape == seen['teacher'].shape
    assert losses['simkd_raw'].item() == pytest.approx((seen['student'] - seen['teacher']).square().mean().item(), 1e-4)


def test_the_checkpoint_is_tested_with_the_students_config_alone(tmp_path) -> None:
    student = student_config()
    model = build(student)
    model.init_weights()
    step(model)
    path = str(tmp_path / 'student.pth')
    save_checkpoint(dict(state_dict=model.state_dict()), path)
    plain = build_model(student[0])
    load_checkpoint(plain, path, map_location='cpu', strict=True)
    data = model.data_preprocessor(zoo.batch_for(*zoo.config_of('tsm_mobilenet')), False)
    model.eval(), plain.eval()
    with torch.no_grad():
        ours, theirs = (each(data['inputs'], mode='tensor', stage='head') for each in (model.student, plain))
    assert torch.equal(ours, theirs)
    assert torch.equal(plain.cls_head.fc_cls.weight, model.teachers['teacher'].module.cls_head.fc_cls.weight)


def test_the_students_classes_are_taken_from_the_teacher() -> None:
    student = student_config()
    classes = [2, 0, 1]
    student[0]['cls_head']['num_classes'] = 3
    model = build(student, classes=classes)
    theirs = model.teachers['teacher'].module.cls_head.fc_cls
    assert torch.equal(model.student.cls_head.fc_cls.weight, theirs.weight[classes])


def test_the_teacher_is_named_where_there_are_several() -> None:
    theirs, _ = zoo.config_of('i3d')
    teachers = {name: dict(config=theirs, checkpoint=None) for name in ('first', 'second')}
    terms = [dict(TERM, teacher='first'), dict(type='KDLoss', at='logits', teacher='second')]
    with pytest.raises(ValueError, match="student.cls_head.teacher: got None, expected .*'first', 'second'"):
        build(student_config(), teachers, terms)
    model = build(student_config(teacher='second'), teachers, terms)
    kept = model.student.cls_head.fc_cls.weight
    assert torch.equal(kept, model.teachers['second'].module.cls_head.fc_cls.weight)
    assert not torch.equal(kept, model.teachers['first'].module.cls_head.fc_cls.weight)


def test_a_teacher_without_one_linear_layer_is_refused() -> None:
    theirs, size = zoo.config_of('i3d')
    model = build(student_config())
    model.teachers['teacher'].module.cls_head.fc_cls = torch.nn.Identity()
    with pytest.raises(ValueError, match='I3DHead.fc_cls is Identity.*, not one linear layer'):
        model.teachers['teacher'].classifier()
