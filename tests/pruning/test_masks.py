import pruned_zoo
import pytest
import torch

from mmkd_video.pruning import bake_masks, mask_weights


def test_smallest_weights_of_all_layers_are_zero_and_stay_so_in_training():
    model, inputs = pruned_zoo.build('i3d')
    keys, weight = list(model.state_dict()), model.backbone.layer4[0].conv1.conv.weight
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    zeros = mask_weights(model, ratio=0.7, keep=['cls_head.*'])
    assert 'cls_head.fc_cls' not in zeros and len({round(value, 2) for value in zeros.values()}) > 2
    model.train()
    model(inputs.repeat(2, 1, 1, 1, 1, 1), mode='tensor', stage='head').square().sum().backward()
    optimizer.step()
    bake_masks(model)
    layers = [
        m for m in model.backbone.modules() if hasattr(m, 'weight') and m.weight is not None and m.weight.ndim > 1
    ]
    total = sum(m.weight.numel() for m in layers)
    assert sum((m.weight == 0).sum().item() for m in layers) == pytest.approx(0.7 * total, abs=2)
    assert sorted(model.state_dict()) == sorted(keys) and model.backbone.layer4[0].conv1.conv.weight is weight


@pytest.mark.parametrize('name', ['i3d', 'tsm_mobilenet'])
def test_two_of_four_inputs_stay_at_each_place(name):
    model, inputs = pruned_zoo.build(name)
    mask_weights(model, '2:4')
    bake_masks(model)
    for module in model.modules():
        if isinstance(module, (torch.nn.modules.conv._ConvNd, torch.nn.Linear)):
            weight = module.weight.detach()
            whole = weight.shape[1] - weight.shape[1] % 4
            groups = weight.movedim(1, -1)[..., :whole].unflatten(-1, (-1, 4))
            assert ((groups != 0).sum(-1) == 2).all()
    assert torch.isfinite(pruned_zoo.scores(model, inputs)).all()


def test_largest_stay():
    layer = torch.nn.Linear(8, 1, bias=False)
    layer.weight.data = torch.tensor([[0.1, -3.0, 2.0, 0.0, 5.0, 4.0, -6.0, 1.0]])
    assert mask_weights(layer, '2:4') == {'': 0.5}
    assert layer.weight.tolist() == [[0, -3, 2, 0, 5, 0, -6, 0]]


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(pattern='4:2'), "pattern: got '4:2'"),
        (dict(pattern='half'), "pattern: got 'half'"),
        (dict(ratio=1.0), 'ratio: got 1.0'),
        (dict(keep=['*']), 'no convolution or linear layer'),
    ],
)
def test_mistakes_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        mask_weights(torch.nn.Linear(8, 8), **settings)
