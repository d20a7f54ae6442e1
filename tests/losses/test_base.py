import pytest
import torch
from torch import Tensor

from mmkd_video.losses.base import DistillLoss, at_least, in_float32, positive


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


def test_ranges_name_the_key() -> None:
    assert positive('temperature', 0.5) == 0.5 and at_least('power', 1, 1) == 1
    with pytest.raises(ValueError, match='temperature: got 0, expected a number above 0'):
        positive('temperature', 0)
    with pytest.raises(ValueError, match='power: got nan, expected a number of at least 1'):
        at_least('power', float('nan'), 1)
