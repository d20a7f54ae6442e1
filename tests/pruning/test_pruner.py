"""What the search for channels says of models that it cannot follow, and where it ends."""

import pruned_zoo
import pytest
import torch
from torch import nn

from mmkd_video.pruning import history_of, prune


class Fixed(nn.Module):
    """Does not run with fewer channels."""

    def __init__(self):
        super().__init__()
        self.give, self.take = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1)
        self.more, self.classify = nn.Conv2d(8, 8, 1), nn.Linear(8, 2)

    def forward(self, x):
        return self.classify(self.more(self.take(self.give(x).reshape(len(x), 8, 4, 4))).mean((2, 3)))


@pytest.mark.parametrize('kind', ['params', 'flops', 'latency'])
def test_layer_without_whose_channels_the_model_does_not_run_is_named_for_every_target(kind):
    torch.manual_seed(0)
    with pytest.raises(ValueError, match=r"channels of 'give' cannot be pruned: without them the model does not run"):
        prune(Fixed(), torch.randn(2, 3, 4, 4), {kind: 0.5})


class Untraceable(Fixed):
    """Leaves torch on its way."""

    def forward(self, x):
        return super().forward(torch.from_numpy((x * self.give.weight.mean()).numpy()))


def test_model_that_cannot_be_traced_is_one_line():
    with pytest.raises(ValueError, match=r'torch-pruning cannot trace this Untraceable \(RuntimeError: .*numpy'):
        prune(Untraceable(), torch.randn(2, 3, 4, 4), dict(params=0.5))


@pytest.mark.parametrize('name', ['i3d', 'tsm_mobilenet', 'x3d'])
def test_recomputed_activations_change_nothing(name):
    histories = []
    for with_cp in (False, True):
        model, inputs = pruned_zoo.build(name)
        blocks = [module for module in model.modules() if hasattr(module, 'with_cp')]
        for module in blocks:
            module.with_cp = with_cp
        histories.append(prune(model, inputs, dict(params=0.6)).to_json())
        assert blocks and all(module.with_cp == with_cp for module in blocks)
    assert histories[0] == histories[1]


def test_no_unit_loses_more_than_max_ratio_in_all_steps_together():
    model, inputs = pruned_zoo.build('i3d')
    layer = model.backbone.layer4[1].conv1.conv
    with torch.no_grad():  # next to the first channel the others are worth nothing
        layer.weight *= torch.logspace(0, -6, layer.out_channels).view(-1, 1, 1, 1, 1)
    prune(model, inputs, dict(params=0.4), steps=3, max_ratio=0.5)
    assert layer.out_channels == 32


@pytest.mark.parametrize('scope', ['global', 'layer'])
def test_target_out_of_reach_is_said_before_the_first_of_several_steps(scope):
    model, inputs = pruned_zoo.build('i3d')
    with pytest.raises(ValueError, match=r'target params=0.1 cannot be reached.*which leaves 0\.2\d+ of this model'):
        prune(model, inputs, dict(params=0.1), steps=3, max_ratio=0.5, scope=scope)
    assert not len(history_of(model))
