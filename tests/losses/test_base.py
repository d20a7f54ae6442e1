import inspect
import math
from dataclasses import replace

import pytest
import torch
from loss_cases import ALL_CASES, LossCase
from torch import Tensor

import mmkd_video.losses as losses
from mmkd_video.losses.base import DistillLoss, at_least, in_float32, positive, whole


class ProductLoss(DistillLoss):
    layouts = ('vector',)

    @in_float32
    def forward(self, student: Tensor, teacher: Tensor, labels: Tensor, mask: Tensor | None = None) -> Tensor:
        return (student @ teacher.T).mean()


class LayersLoss(DistillLoss):
    layouts = ('vector',)
    multi_layer = True
    min_layers = 2

    @in_float32
    def forward(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        return sum((theirs - ours).sum() for ours, theirs in zip(student, teacher, strict=True))


def test_matrix_products_stay_float32_under_autocast() -> None:
    student, teacher, labels = torch.randn(4, 64), torch.randn(4, 64), torch.zeros(4)
    with torch.autocast('cpu', torch.bfloat16):
        value = ProductLoss()(student, teacher, labels=labels)
    assert torch.equal(value, (student @ teacher.T).mean())


def test_only_keywords_without_default_are_needed() -> None:
    vector = torch.zeros(2, 3)
    ProductLoss()(vector, vector, labels=torch.zeros(2))
    with pytest.raises(ValueError, match='ProductLoss: got no labels'):
        ProductLoss()(vector, vector, mask=torch.zeros(2))


def test_layers_are_counted() -> None:
    vector = torch.zeros(2, 3)
    with pytest.raises(ValueError, match='got 1 student layers, expected at least 2'):
        LayersLoss()([vector], [vector])
    with pytest.raises(ValueError, match='got 3 student and 2 teacher layers'):
        LayersLoss()([vector] * 3, [vector] * 2)
    with pytest.raises(ValueError, match='student layer 1'):
        LayersLoss()([vector, vector[0]], [vector, vector])
    with pytest.raises(TypeError, match='got Tensor as student, expected a list'):
        LayersLoss()(vector, [vector, vector])


def test_integers_and_empty_batches_are_refused() -> None:
    with pytest.raises(TypeError, match='int64, expected a floating point'):
        ProductLoss()(torch.zeros(2, 3).long(), torch.zeros(2, 3), labels=torch.zeros(2))
    with pytest.raises(ValueError, match='at least one sample'):
        ProductLoss()(torch.zeros(0, 3), torch.zeros(0, 3), labels=torch.zeros(0))


@pytest.mark.parametrize('value', ['4', None, True, [4.0]])
def test_what_is_no_number_names_the_key(value: object) -> None:
    for check in (lambda: positive('dim', value), lambda: at_least('dim', value, 1), lambda: whole('dim', value, 1)):
        with pytest.raises(ValueError, match=r'dim: got .*; expected a (whole )?number'):
            check()


@pytest.mark.parametrize(
    ('name', 'key', 'params'),
    [
        ('LTSALoss', 'k', {}),
        ('LTSALoss', 'dim', {}),
        ('CATKDLoss', 'pool', {}),
        ('KDSVDLoss', 'k', {}),
        ('CRDLoss', 'dim', {'student_channels': 2, 'teacher_channels': 2, 'num_samples': 4}),
        ('CRDLoss', 'num_negatives', {'student_channels': 2, 'teacher_channels': 2, 'num_samples': 4}),
        ('SemCKDLoss', 'dim', {'student_channels': [2], 'teacher_channels': [2]}),
        ('MDSLoss', 'queue_size', {'student_channels': 2, 'teacher_channels': 2}),
        ('VIDLoss', 'teacher_channels', {}),
    ],
)
def test_counts_are_whole_numbers(name: str, key: str, params: dict) -> None:
    with pytest.raises(ValueError, match=rf'{key}: got 2\.5; expected a whole number of at least'):
        getattr(losses, name)(**{**params, key: 2.5})


LEARNED = [
    (name, case)
    for name, case in ALL_CASES
    if {'student_channels', 'teacher_channels'} & set(inspect.signature(getattr(losses, name)).parameters)
]


@pytest.mark.parametrize('extra', [1, -1], ids=['more', 'fewer'])
@pytest.mark.parametrize('side', ['student', 'teacher'])
@pytest.mark.parametrize(('name', 'case'), LEARNED, ids=[f'{name}-{i}' for i, (name, _) in enumerate(LEARNED)])
def test_channels_for_which_it_was_not_built_are_refused(name: str, case: LossCase, side: str, extra: int) -> None:
    def channels(shapes: tuple | list) -> int | list[int]:
        if isinstance(shapes, list):
            return [channels(shape) for shape in shapes]
        return math.prod(shapes[1:]) if getattr(losses, name).flattens else shapes[-1 if len(shapes) == 3 else 1]

    known = inspect.signature(getattr(losses, name)).parameters
    params = {'queue_size': 4} if 'queue_size' in known else {}
    given = {f'{each}_channels': channels(shapes) for each, shapes in case.sides().items()}
    params |= {each: count for each, count in given.items() if each in known}
    key = f'{side}_channels'
    if key not in params:
        pytest.skip('the other side must equal this one')
    right = params[key]
    params[key] = [count + extra for count in right] if isinstance(right, list) else right + extra
    student, teacher, keywords = case.inputs()
    with pytest.raises(ValueError, match=rf'{name}: got {side}.* with \d+ channels, but it was built with {key}='):
        replace(case, params={**case.params, **params}).build(name)(student, teacher, **keywords)


def test_layers_for_which_it_was_not_built_are_refused() -> None:
    layers = [torch.zeros(1, 2, 2, 2)] * 2
    with pytest.raises(ValueError, match='got 2 student layers, but student_channels has 1'):
        losses.SemCKDLoss([2], [2, 2])(layers, layers)


def test_ranges_name_the_key() -> None:
    assert positive('temperature', 0.5) == 0.5 and at_least('power', 1, 1) == 1
    with pytest.raises(ValueError, match='temperature: got 0; expected a number above 0'):
        positive('temperature', 0)
    with pytest.raises(ValueError, match='power: got nan; expected a number of at least 1'):
        at_least('power', float('nan'), 1)
