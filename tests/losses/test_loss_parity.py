"""Every loss equals its authors' code: value and gradient, in float64 and float32."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import mmkd_video.losses as losses

GOLDEN = Path(__file__).parents[3] / 'shared' / 'golden'
INDEX = GOLDEN / 'index.json'
CASES = json.loads(INDEX.read_text())['cases'] if INDEX.exists() else []
KNOWN = [case for case in CASES if case['loss'] in losses.__all__]


def read(case: dict, dtype: torch.dtype) -> tuple:
    with np.load(GOLDEN / case['file']) as arrays:
        student = [torch.from_numpy(arrays[key]).to(dtype).requires_grad_() for key in case['student_keys']]
        teacher = [torch.from_numpy(arrays[key]).to(dtype) for key in case['teacher_keys']]
        gradients = [torch.from_numpy(arrays[key]) for key in case['grad_keys']]
        labels = None if case['labels_key'] is None else torch.from_numpy(arrays[case['labels_key']])
    return student, teacher, labels, gradients


@pytest.mark.skipif(not CASES, reason=f'no golden values at {INDEX}')
def test_golden_values_cover_the_losses() -> None:
    assert {case['loss'] for case in CASES} <= set(losses.__all__)


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32], ids=['float64', 'float32'])
@pytest.mark.parametrize('case', KNOWN, ids=[case['id'] for case in KNOWN])
def test_loss_and_gradient_equal_the_authors_code(case: dict, dtype: torch.dtype) -> None:
    student, teacher, labels, expected = read(case, dtype)
    tolerance = case['tolerance'][str(dtype).removeprefix('torch.')]
    loss = getattr(losses, case['loss'])(**case['params'])
    sides = (student, teacher) if case['is_list'] else (student[0], teacher[0])
    value = loss(*sides) if labels is None else loss(*sides, labels=labels)
    assert value.dtype == dtype and value.shape == ()
    allowed = tolerance['loss_atol'] + tolerance['loss_rtol'] * abs(case['expected'])
    assert abs(value.item() - case['expected']) <= allowed

    gradients = torch.autograd.grad(value, student, materialize_grads=True)
    largest = max(gradient.abs().max().item() for gradient in expected)
    allowed = tolerance['grad_atol'] + tolerance['grad_rtol_of_max'] * largest
    for gradient, authors in zip(gradients, expected, strict=True):
        assert (gradient.double() - authors.double()).abs().max().item() <= allowed
    if case['expect_zero'] and dtype == torch.float64:
        assert abs(value.item()) <= tolerance['loss_atol']
