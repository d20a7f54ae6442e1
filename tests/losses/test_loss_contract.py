"""What every loss promises, tried on every entry of the table in ``loss_cases.py``."""

import copy
import inspect
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from loss_cases import ALL_CASES, CASES, COVERED, IDS, LossCase, uncovered

import mmkd_video.losses as losses
from mmkd_video.core.registry import MODELS

every_loss = pytest.mark.parametrize('name', losses.__all__)
HYPERPARAMETERS = [
    (name, key)
    for name in COVERED
    for key, parameter in inspect.signature(getattr(losses, name)).parameters.items()
    if isinstance(CASES[name][0].params.get(key, parameter.default), int | float)
    and not isinstance(parameter.default, bool)
]
NEEDED = [
    (name, key)
    for name in COVERED
    for key, parameter in list(inspect.signature(getattr(losses, name).forward).parameters.items())[3:]
    if parameter.default is parameter.empty
]


def cases_where(condition: Callable) -> pytest.MarkDecorator:
    """Try the entries of the table for which ``condition(loss class, case)`` holds."""
    chosen = [
        (id_, item) for id_, item in zip(IDS, ALL_CASES, strict=True) if condition(getattr(losses, item[0]), item[1])
    ]
    return pytest.mark.parametrize(('name', 'case'), [item for _, item in chosen], ids=[id_ for id_, _ in chosen])


def num_dimensions(case: LossCase) -> int:
    return len(case.student[0] if isinstance(case.student, list) else case.student)


def sharpened(loss: torch.nn.Module) -> torch.nn.Module:
    """Set the temperature, by whatever name the loss has it, to 0.1."""
    for key, value in {'temperature': 0.1, 'temperatures': (0.1,), 'exponent': 10.0}.items():
        if hasattr(loss, key):
            setattr(loss, key, value)
    return loss


every_case = cases_where(lambda loss, case: True)
with_labels = cases_where(lambda loss, case: case.labels)


def as_list(features: torch.Tensor | list[torch.Tensor]) -> list[torch.Tensor]:
    return [features] if isinstance(features, torch.Tensor) else list(features)


def like(features: torch.Tensor | list[torch.Tensor], change: Callable) -> torch.Tensor | list[torch.Tensor]:
    return change(features) if isinstance(features, torch.Tensor) else [change(feature) for feature in features]


def test_every_loss_is_in_the_table() -> None:
    assert not uncovered()


NEW = """from torch import nn
from mmkd_video.core.registry import MODELS
@MODELS.register_module()
class ForgottenLoss(nn.Module):
    pass
"""


def test_a_loss_that_nobody_exports_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'forgotten.py').write_text(NEW)
    monkeypatch.setattr(losses, '__path__', [*losses.__path__, str(tmp_path)])
    try:
        lines = '\n'.join(uncovered())
    finally:
        MODELS.module_dict.pop('ForgottenLoss', None)
        sys.modules.pop('mmkd_video.losses.forgotten', None)
    assert 'ForgottenLoss is registered but not exported: add it to mmkd_video/losses/__init__.py' in lines
    assert 'ForgottenLoss has no case: add one to CASES in tests/losses/loss_cases.py' in lines


def test_a_loss_without_a_case_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(CASES, 'KDLoss')
    assert uncovered() == ['KDLoss has no case: add one to CASES in tests/losses/loss_cases.py']


@every_loss
def test_declares_how_its_sides_are_matched(name: str) -> None:
    cls = getattr(losses, name)
    assert MODELS.module_dict[name] is cls
    assert cls.layouts and set(cls.layouts) <= {'logits', 'vector', 'tokens', 'map'}
    parameters = list(inspect.signature(cls.forward).parameters)
    assert parameters[:3] == ['self', 'student', 'teacher']
    assert set(parameters[3:]) <= {'labels', 'indices', 'mask', 'teacher_head'}


@every_loss
def test_docstring_names_its_source(name: str) -> None:
    docstring = getattr(losses, name).__doc__
    assert 'Source: ' in docstring or 'Ours' in docstring


@every_case
def test_returns_a_scalar_and_a_gradient_for_the_student_alone(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs()
    teacher = like(teacher, lambda tensor: tensor.requires_grad_())
    value = case.build(name)(student, teacher, **keywords)
    assert value.shape == () and value.dtype == torch.float32 and value.isfinite()
    value.backward()
    for feature in as_list(student):
        assert feature.grad.isfinite().all() and feature.grad.abs().sum() > 0
    assert all(feature.grad is None for feature in as_list(teacher))


@cases_where(lambda loss, case: any(True for _ in case.build(loss.__name__).parameters()))
def test_learned_parts_are_trained(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs()
    loss = case.build(name)
    loss(student, teacher, **keywords).backward()
    for key, parameter in loss.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), key
    assert any(parameter.grad.abs().sum() > 0 for parameter in loss.parameters())


@cases_where(lambda loss, case: not case.detached_weight)
def test_gradient_is_the_derivative(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs(dtype=torch.float64)
    loss = case.build(name).double()
    is_list = isinstance(student, list)
    features = as_list(student)

    def value(*features: torch.Tensor) -> torch.Tensor:
        return loss(list(features) if is_list else features[0], teacher, **keywords)

    assert torch.autograd.gradcheck(value, features, atol=1e-6, fast_mode=True)  # along random directions


@cases_where(lambda loss, case: case.zero_if_equal and case.teacher is None)
def test_equal_sides_give_zero(name: str, case: LossCase) -> None:
    student, _, keywords = case.inputs()
    assert case.build(name)(student, student, **keywords).item() == pytest.approx(0, abs=1e-12)


@every_case
def test_inputs_are_not_changed(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs()
    before = copy.deepcopy([[tensor.detach() for tensor in as_list(side)] for side in (student, teacher)])
    labels = copy.deepcopy(keywords)
    case.build(name)(student, teacher, **keywords).backward()
    for side, kept in zip((student, teacher), before, strict=True):
        assert all(torch.equal(tensor, old) for tensor, old in zip(as_list(side), kept, strict=True))
    assert all(torch.equal(value, labels[key]) for key, value in keywords.items() if not callable(value))


@every_case
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16], ids=['float16', 'bfloat16'])
def test_half_precision_is_computed_in_float32(name: str, case: LossCase, dtype: torch.dtype) -> None:
    student, teacher, keywords = case.inputs(dtype=dtype)
    loss = case.build(name)
    value = loss(student, teacher, **keywords)
    wide = loss(like(student, lambda tensor: tensor.float()), like(teacher, lambda tensor: tensor.float()), **keywords)
    assert value.dtype == torch.float32
    assert torch.equal(value, wide)
    value.backward()
    assert all(feature.grad.dtype == dtype and feature.grad.isfinite().all() for feature in as_list(student))


@every_case
def test_autocast_does_not_reach_inside(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs()
    loss = case.build(name)
    outside = loss(student, teacher, **keywords)
    with torch.autocast('cpu', torch.bfloat16):
        inside = loss(student, teacher, **keywords)
    assert inside.dtype == torch.float32 and torch.equal(inside, outside)


@every_case
def test_batch_of_one_is_finite(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.resized(1).inputs()
    value = case.build(name)(student, teacher, **keywords)
    assert value.isfinite()
    value.backward()
    assert all(feature.grad.isfinite().all() for feature in as_list(student))


@pytest.mark.parametrize('name', ['CCLoss', 'RKDLoss'])
def test_a_single_clip_has_no_relations(name: str) -> None:
    student = torch.randn(1, 6, requires_grad=True)
    value = getattr(losses, name)()(student, torch.randn(1, 6))
    value.backward()
    assert value.item() == 0 and torch.equal(student.grad, torch.zeros(1, 6))


@every_case
def test_large_inputs_stay_finite(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs(scale=60.0)
    loss = sharpened(case.build(name))
    value = loss(student, teacher, **keywords)
    assert value.isfinite()
    value.backward()
    assert all(feature.grad.isfinite().all() for feature in as_list(student))


@every_case
def test_all_zero_inputs_stay_finite(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs(scale=0.0)
    value = case.build(name)(student, teacher, **keywords)
    assert value.isfinite()
    value.backward()
    assert all(feature.grad.isfinite().all() for feature in as_list(student))


@with_labels
def test_soft_labels_stand_for_their_largest_class(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs()
    soft = torch.full((len(keywords['labels']), student.shape[1]), 0.1)
    soft[torch.arange(len(soft)), keywords['labels']] = 0.6
    loss = case.build(name)
    assert torch.equal(loss(student, teacher, labels=soft), loss(student, teacher, **keywords))


@with_labels
def test_soft_labels_that_are_not_finite_are_refused(name: str, case: LossCase) -> None:
    student, teacher, _ = case.inputs()
    with pytest.raises(ValueError, match=rf'{name}: got labels of shape .* with NaN or infinity'):
        case.build(name)(student, teacher, labels=torch.full(student.shape, float('nan')))


@with_labels
def test_classes_that_do_not_exist_are_refused(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs()
    for wrong in (-1, student.shape[1]):
        labels = keywords['labels'].clone()
        labels[-1] = wrong
        with pytest.raises(ValueError, match=rf'labels: got class {wrong}, expected 0 to {student.shape[1] - 1}'):
            case.build(name)(student, teacher, labels=labels)


@cases_where(lambda loss, case: loss.layouts == ('logits',) and isinstance(case.student, tuple))
def test_confident_logits_at_a_low_temperature_are_exact(name: str, case: LossCase) -> None:
    """Scores of 60 at a temperature of 0.1: neither NaN nor a value that float64 would not give."""
    loss = sharpened(case.build(name))
    results = []
    for dtype in (torch.float64, torch.float32):
        student, teacher, keywords = case.inputs(dtype=torch.float32)
        student, teacher = (60 * side.detach().sign().to(dtype) for side in (student, teacher))
        student = (student + torch.linspace(0, 1, student.numel(), dtype=dtype).view(student.shape)).requires_grad_()
        value = loss(student, teacher, **keywords)
        value.backward()
        assert value.isfinite() and student.grad.isfinite().all()
        results.append((value.item(), student.grad.double()))
    (value, gradient), (narrow, narrow_gradient) = results
    assert narrow == pytest.approx(value, rel=1e-4, abs=1e-5)
    assert torch.allclose(narrow_gradient, gradient, rtol=1e-3, atol=1e-4 * max(gradient.abs().max().item(), 1e-3))


@with_labels
def test_labels_that_do_not_fit_are_refused(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs()
    loss = case.build(name)
    with pytest.raises(ValueError, match='labels'):
        loss(student, teacher)
    with pytest.raises(ValueError, match='labels'):
        loss(student, teacher, labels=None)
    with pytest.raises(ValueError, match='labels'):
        loss(student, teacher, labels=keywords['labels'][1:])
    with pytest.raises(ValueError, match='labels'):
        loss(student, teacher, labels=torch.zeros(len(student), student.shape[1] + 1))


@every_case
def test_state_dict_round_trip(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs()
    loss, other = case.build(name), case.build(name, seed=1)
    state = copy.deepcopy(loss.state_dict())
    other.load_state_dict(state)
    assert torch.equal(loss(student, teacher, **keywords), other(student, teacher, **keywords))


@every_case
def test_numbers_may_become_scalar_tensors(name: str, case: LossCase) -> None:
    """A schedule replaces a plain attribute by a 0-d buffer of the same name; the value must not change."""
    student, teacher, keywords = case.inputs()
    loss, moved = case.build(name), case.build(name)
    for key, value in list(vars(moved).items()):
        if isinstance(value, float):
            delattr(moved, key)
            moved.register_buffer(key, torch.tensor(value, dtype=torch.float64), persistent=False)
    value = moved(student, teacher, **keywords)
    assert value.dtype == torch.float32
    assert torch.allclose(value, loss(student, teacher, **keywords), rtol=1e-5, atol=1e-7)


@every_case
def test_wrong_rank_is_refused(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs()
    flat = like(student, lambda tensor: tensor.flatten())
    with pytest.raises(ValueError, match=rf'{name}: got student.* of shape .*, expected'):
        case.build(name)(flat, teacher, **keywords)
    flat = like(teacher, lambda tensor: tensor.flatten())
    with pytest.raises(ValueError, match=rf'{name}: got teacher.* of shape .*, expected'):
        case.build(name)(student, flat, **keywords)


@every_case
def test_differing_batch_is_refused(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs()
    longer = like(teacher, lambda tensor: torch.cat([tensor, tensor]))
    with pytest.raises(ValueError, match=rf'{name}: got .* expected the same batch size'):
        case.build(name)(student, longer, **keywords)


@every_case
def test_not_a_tensor_is_refused(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs()
    wrapped = student[0] if isinstance(student, list) else [student]
    with pytest.raises(TypeError, match=f'{name}: got (Tensor|list) as student, expected'):
        case.build(name)(wrapped, teacher, **keywords)


@cases_where(lambda loss, case: loss.multi_layer)
def test_differing_numbers_of_layers_are_refused(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs()
    with pytest.raises(ValueError, match=rf'{name}: got {len(student)} student and {len(teacher) + 1} teacher layers'):
        case.build(name)(student, [*teacher, teacher[-1]], **keywords)


@cases_where(lambda loss, case: loss.same_channels or loss.same_classes)
def test_differing_channels_or_classes_are_refused(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs()
    axis = -1 if num_dimensions(case) == 3 else 1
    wider = like(teacher, lambda tensor: torch.cat([tensor, tensor], dim=axis))
    with pytest.raises(ValueError, match=rf'{name}: got .* expected equal (channels|class counts)'):
        case.build(name)(student, wider, **keywords)


@cases_where(lambda loss, case: loss.same_positions and num_dimensions(case) > 2)
def test_differing_positions_are_refused(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs()
    axis = 1 if num_dimensions(case) == 3 else -1
    longer = like(teacher, lambda tensor: torch.cat([tensor, tensor], dim=axis))
    with pytest.raises(ValueError, match=rf'{name}: got .* expected equal time and space'):
        case.build(name)(student, longer, **keywords)


@pytest.mark.parametrize('wrong', [-1.0, float('nan'), float('inf')], ids=['negative', 'nan', 'infinite'])
@pytest.mark.parametrize(('name', 'key'), HYPERPARAMETERS)
def test_hyperparameter_out_of_range_is_refused(name: str, key: str, wrong: float) -> None:
    with pytest.raises(ValueError, match=f'{key}: got {wrong:g}.*; expected'):
        getattr(losses, name)(**{**CASES[name][0].params, key: wrong})


@pytest.mark.parametrize(('name', 'key'), NEEDED)
def test_a_missing_keyword_is_refused(name: str, key: str) -> None:
    student, teacher, keywords = CASES[name][0].inputs()
    for given in ({**keywords, key: None}, {other: value for other, value in keywords.items() if other != key}):
        with pytest.raises(ValueError, match=rf'{name}: got no {key}, expected {key}=\.\.\.'):
            CASES[name][0].build(name)(student, teacher, **given)


@pytest.mark.parametrize('wrong', [float('nan'), float('inf'), -float('inf')])
@every_case
def test_what_is_not_finite_is_named(name: str, case: LossCase, wrong: float) -> None:
    def spoil(feature: torch.Tensor) -> torch.Tensor:
        spoilt = feature.detach().clone()
        spoilt.view(-1)[-1] = wrong
        return spoilt

    student, teacher, keywords = case.inputs()
    with pytest.raises(ValueError, match=rf'{name}: got teacher.* with NaN or infinity; check'):
        case.build(name)(student, like(teacher, spoil), **keywords)
    with pytest.raises(ValueError, match=rf'{name}: got student.* with NaN or infinity; lower'):
        case.build(name)(like(student, spoil), teacher, **keywords)
