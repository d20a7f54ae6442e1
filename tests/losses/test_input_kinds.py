"""Both sides in any precision, and labels, indices and masks in whatever a user holds them."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from loss_cases import CASES, LossCase

import mmkd_video.losses as losses

FIRST = [(name, cases[0]) for name, cases in CASES.items()]
every_loss = pytest.mark.parametrize(('name', 'case'), FIRST, ids=[name for name, _ in FIRST])
with_labels = pytest.mark.parametrize('name', [name for name, case in FIRST if case.labels])
PRECISIONS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
Features = torch.Tensor | list[torch.Tensor]


def like(features: Features, change: Callable) -> Features:
    return change(features) if isinstance(features, torch.Tensor) else [change(feature) for feature in features]


@every_loss
def test_the_two_sides_may_differ_in_precision(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs(dtype=torch.bfloat16)  # exact in the others
    expected = case.build(name)(student, teacher, **keywords)
    for first in PRECISIONS[1:]:
        for second in PRECISIONS[1:]:
            ours = like(student, lambda tensor, dtype=first: tensor.detach().to(dtype).requires_grad_())
            value = case.build(name)(ours, like(teacher, lambda tensor, dtype=second: tensor.to(dtype)), **keywords)
            assert value.dtype == (torch.float64 if first == torch.float64 else torch.float32)
            assert value.item() == pytest.approx(expected.item(), rel=1e-3, abs=1e-5)
            value.backward()
            for layer in [ours] if isinstance(ours, torch.Tensor) else ours:
                assert layer.grad.dtype == first and layer.grad.isfinite().all()


@pytest.mark.parametrize(('name', 'case'), [item for item in FIRST if isinstance(item[1].student, list)])
def test_layers_may_differ_in_precision(name: str, case: LossCase) -> None:
    student, teacher, keywords = case.inputs()
    expected = case.build(name)(student, teacher, **keywords)
    mixed = [
        layer.detach().to(dtype) for layer, dtype in zip(student, [torch.float32, torch.float64] * 2, strict=False)
    ]
    assert case.build(name)(mixed, teacher, **keywords).item() == pytest.approx(expected.item(), rel=1e-4)


def test_learned_parts_in_half_precision_are_refused() -> None:
    loss = losses.FBKDLoss(teacher_channels=3).bfloat16()
    with pytest.raises(TypeError, match=r"FBKDLoss: its learned 'adapt_.*' is torch.bfloat16, expected torch.float32"):
        loss(torch.zeros(1, 3, 2, 2, 2), torch.zeros(1, 3, 2, 2, 2))


SPELLINGS = {
    'list': lambda classes, k: classes.tolist(),
    'tuple': lambda classes, k: tuple(classes.tolist()),
    'list of Tensors': lambda classes, k: list(classes),
    'NumPy': lambda classes, k: classes.numpy(),
    'uint8': lambda classes, k: classes.byte(),
    'list of rows': lambda classes, k: np.eye(k)[classes.numpy()].tolist(),
    'list of Tensor rows': lambda classes, k: list(torch.eye(k)[classes]),
    'NumPy rows': lambda classes, k: np.eye(k)[classes.numpy()],
    'bool rows': lambda classes, k: torch.eye(k)[classes].bool(),
    'NumPy bool rows': lambda classes, k: np.eye(k, dtype=bool)[classes.numpy()],
    'half rows': lambda classes, k: torch.eye(k)[classes].half(),
    'integer rows': lambda classes, k: torch.eye(k)[classes].long(),
}


@pytest.mark.parametrize('spelling', SPELLINGS.values(), ids=SPELLINGS)
@with_labels
def test_labels_in_any_spelling(name: str, spelling: Callable) -> None:
    student, teacher, keywords = CASES[name][0].inputs()
    loss = CASES[name][0].build(name)
    expected = loss(student, teacher, **keywords)
    assert torch.equal(loss(student, teacher, labels=spelling(keywords['labels'], student.shape[1])), expected)


@pytest.mark.parametrize('kind', [list, np.array, torch.tensor])
@with_labels
def test_bool_labels_are_classes_0_and_1(name: str, kind: Callable) -> None:
    student, teacher, _ = CASES[name][0].inputs()
    loss = CASES[name][0].build(name)
    expected = loss(student, teacher, labels=torch.tensor([1, 0, 1, 1]))
    assert torch.equal(loss(student, teacher, labels=kind([True, False, True, True])), expected)


@pytest.mark.parametrize('wrong', ['word', ['a', 'b', 'c', 'd'], [[1], [1, 2]], object()])
@with_labels
def test_labels_that_are_no_numbers_are_refused(name: str, wrong: object) -> None:
    student, teacher, _ = CASES[name][0].inputs()
    with pytest.raises(ValueError, match=f'{name}: got labels as a {type(wrong).__name__} that is no array of numbers'):
        CASES[name][0].build(name)(student, teacher, labels=wrong)


@pytest.mark.parametrize('wrong', [3, 1.5, torch.zeros(4, dtype=torch.complex64), [0.0, 1.0, 2.0, 3.0], [[1, 2]]])
@with_labels
def test_labels_of_another_shape_or_kind_are_refused(name: str, wrong: object) -> None:
    student, teacher, _ = CASES[name][0].inputs()
    with pytest.raises(
        ValueError, match=r'labels: got shape .*, expected class indices \(4,\) or soft labels \(4, 6\)'
    ):
        CASES[name][0].build(name)(student, teacher, labels=wrong)


def test_indices_and_masks_in_any_spelling() -> None:
    case = CASES['CRDLoss'][0]
    student, teacher, keywords = case.inputs()
    expected = case.build('CRDLoss')(student, teacher, **keywords)
    for indices in (keywords['indices'].tolist(), keywords['indices'].numpy()):
        assert torch.equal(case.build('CRDLoss')(student, teacher, indices=indices), expected)
    with pytest.raises(ValueError, match=r'indices: got shape \(4,\) of torch.bool, expected int64'):
        case.build('CRDLoss')(student, teacher, indices=[True, False, True, False])
    case = CASES['MGDLoss'][0]
    student, teacher, _ = case.inputs()
    mask = torch.rand(3, 3, 4) < 0.5
    expected = case.build('MGDLoss')(student, teacher, mask=mask)
    for spelt in (mask.tolist(), mask.numpy(), mask.long()):
        assert torch.equal(case.build('MGDLoss')(student, teacher, mask=spelt), expected)
