from collections import Counter

import pytest
import torch
import zoo
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import mmkd_video  # noqa: F401
from mmkd_video.core.registry import MODELS
from mmkd_video.taps import TapPath, TapSet, to_canonical

SHAPES = {
    'tsm_mobilenet': {'backbone.layer4': (2, 16, 8, 2, 2), 'backbone.conv2': (2, 1280, 8, 1, 1), 'pooled': (2, 1280)},
    'tsn_r18': {'backbone.layer3': (2, 256, 8, 2, 2), 'pooled': (2, 512)},
    'tsm_r50': {'backbone.layer2': (2, 512, 8, 4, 4), 'frame_logits': (2, 8, 5)},
    'i3d': {'backbone.layer4': (2, 64, 4, 1, 1), 'pooled': (2, 64), 'backbone': (2, 64, 4, 1, 1)},
    'slowfast': {'backbone[0]': (2, 128, 4, 1, 1), 'backbone[1]': (2, 16, 16, 1, 1), 'pooled': (2, 144)},
    'x3d': {'backbone.layer2': (2, 48, 8, 8, 8), 'pooled': (2, 432)},
    'swin3d': {'backbone.layers.0.blocks.0': (2, 96, 4, 16, 16), 'backbone': (2, 768, 4, 2, 2), 'pooled': (2, 768)},
    'slowonly': {'backbone.layer2': (2, 16, 4, 4, 4), 'backbone': (2, 64, 4, 1, 1), 'pooled': (2, 64)},
    'r2plus1d': {'backbone.layer2': (2, 16, 4, 4, 4), 'backbone': (2, 64, 1, 1, 1), 'pooled': (2, 64)},
    'tpn': {'backbone[0]': (2, 32, 4, 2, 2), 'neck': (2, 2048, 2, 1, 1), 'pooled': (2, 2048)},
    'mvit': {'backbone.blocks.0[0]': (2, 257, 16), 'backbone[0][0]': (2, 64, 4, 2, 2), 'pooled': (2, 64)},
    'uniformer': {
        'backbone.blocks1.0': (2, 16, 4, 16, 16),
        'backbone.blocks3.0.mlp': (2, 64, 32),
        'backbone': (2, 32, 4, 2, 2),
        'pooled': (2, 32),
    },
    'timesformer': {'backbone': (2, 64), 'backbone.transformer_layers': (2, 33, 64), 'pooled': (2, 64)},
}


def build(name, train=False):
    config, size = zoo.config_of(name)
    model = MODELS.build(config)
    model.train() if train else model.eval()
    data = model.data_preprocessor(zoo.batch_for(config, size), False)
    return model, data


def watch(model, names, data):
    taps = TapSet(model, names, 'student')
    with taps.watch():
        model.extract_feat(data['inputs'], stage='head')
    return taps, taps.read(data['inputs'])


@pytest.mark.parametrize('name', SHAPES)
def test_every_family_leaves_in_canonical_layout(name):
    model, data = build(name)
    _, found = watch(model, ['logits', *SHAPES[name]], data)
    assert {tap: tuple(feature.shape) for tap, feature in found.items()} == {'logits': (2, 5), **SHAPES[name]}


SWIN_SHAPES = {
    'patch_embed': (2, 96, 4, 16, 16),
    'patch_embed.proj': (2, 96, 4, 16, 16),
    'pos_drop': (2, 96, 4, 16, 16),
    'layers.0': (2, 96, 4, 16, 16),
    'layers.0.blocks.0.norm1': (2, 96, 4, 16, 16),
    'layers.0.blocks.0.mlp': (2, 96, 4, 16, 16),
    'layers.0.blocks.0.mlp.fc1': (2, 384, 4, 16, 16),
    'layers.0.blocks.0.mlp.act': (2, 384, 4, 16, 16),
    'layers.0.blocks.0.drop_path': (2, 96, 4, 16, 16),
    'layers.0.blocks.0:pre': (2, 384, 4, 16, 16),
    'layers.0.downsample': (2, 192, 4, 8, 8),
    'layers.0.downsample.norm': (2, 384, 4, 8, 8),
    'norm3': (2, 768, 4, 2, 2),
}


def test_channels_come_second_whichever_part_of_swin_is_tapped():
    model, data = build('swin3d')
    shapes = {f'backbone.{name}': shape for name, shape in SWIN_SHAPES.items()} | {'backbone:pre': (2, 3072, 4, 2, 2)}
    names = [name if name.endswith(':pre') else f'{name}#1' for name in shapes]
    _, found = watch(model, [*names, 'backbone'], data)
    assert {name: tuple(found[name].shape) for name in names} == dict(zip(names, shapes.values(), strict=True))
    assert torch.equal(found['backbone.norm3#1'], found['backbone'])
    patches = model.backbone.patch_embed(data['inputs'].flatten(0, 1))
    assert torch.equal(found['backbone.patch_embed#1'], patches)
    normed = model.backbone.layers[0].blocks[0].norm1(patches.movedim(1, -1))
    assert torch.equal(found['backbone.layers.0.blocks.0.norm1#1'], normed.movedim(-1, 1))


def test_frames_of_a_2d_recognizer_come_back_in_order():
    model, data = build('tsn_r18')
    _, found = watch(model, ['backbone.layer3'], data)
    alone = model.backbone.layer3(model.backbone.layer2(model.backbone.layer1(model.backbone.maxpool(
        model.backbone.conv1(data['inputs'][1, 3:4])))))  # fmt: skip
    assert torch.allclose(found['backbone.layer3'][1, :, 3], alone[0], atol=1e-5)


def test_an_item_of_an_item_is_named_by_two_indices():
    model, data = build('mvit')
    _, found = watch(model, ['backbone[0][0]', 'backbone[0][1]', 'pooled'], data)
    patches, token = model.backbone(data['inputs'].flatten(0, 1))[0]
    assert torch.equal(found['backbone[0][0]'], patches) and torch.equal(found['backbone[0][1]'], token)
    assert torch.equal(found['pooled'], token)


def test_the_neck_gives_its_feature_with_and_without_auxiliary_losses():
    model, data = build('tpn')
    taps, found = watch(model, ['neck', 'neck[0]', 'neck.pyramid_fusion'], data)
    assert found['neck'].shape == (2, 2048, 2, 1, 1)
    assert all(torch.equal(found['neck'], feature) for feature in found.values())
    with taps.watch():
        losses = model.loss(data['inputs'], data['data_samples'])
    assert 'loss_aux' in losses
    assert taps.read(data['inputs'])['neck'].shape == (2, 2048, 2, 1, 1)


def test_a_feature_in_a_list_of_its_own_is_taken_out():
    class Neck(nn.Module):
        def forward(self, x):
            return [x * 2], {}

    class WithNeck(nn.Module):
        def __init__(self):
            super().__init__()
            self.neck = Neck()

        def forward(self, x):
            return self.neck(x)

    model, x = WithNeck(), torch.randn(2, 3)
    taps = TapSet(model, ['neck'], 'student')
    with taps.watch():
        model(x)
    assert torch.equal(taps.read(torch.zeros(2, 1, 3, 1, 1))['neck'], x * 2)


def test_pooled_is_what_the_classifier_averages_and_carries_no_dropout():
    model, data = build('tsm_r50', train=True)
    model.backbone.eval()
    _, found = watch(model, ['pooled', 'backbone'], data)
    assert torch.allclose(found['pooled'], found['backbone'].mean(dim=(2, 3, 4)), atol=1e-5)


def test_logits_of_every_head_are_clip_level():
    for name in ('tsm_mobilenet', 'tsn_r18', 'i3d'):
        model, data = build(name)
        _, found = watch(model, ['logits'], data)
        assert torch.equal(found['logits'], model(data['inputs'], stage='head'))


def test_a_pre_activation_tap_sees_what_the_in_place_relu_overwrites():
    model, data = build('i3d')
    _, found = watch(model, ['backbone.layer4', 'backbone.layer4:pre'], data)
    pre, post = found['backbone.layer4:pre'], found['backbone.layer4']
    assert (pre < 0).any()
    assert torch.equal(pre.relu(), post)


class Counted(TorchDispatchMode):
    """Count the operations of a block by name."""

    def __init__(self):
        super().__init__()
        self.calls = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.calls[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


def test_a_pre_activation_tap_copies_nothing_and_leaves_the_activation_as_it_was():
    model, data = build('i3d')
    taps = TapSet(model, ['backbone.layer4:pre'], 'student')
    with taps.watch():
        model.extract_feat(data['inputs'], stage='head')
    taps.read(data['inputs'])  # now it knows which activation is the last one
    in_place = [each for each in model.modules() if getattr(each, 'inplace', False)]
    with Counted() as alone:
        model.extract_feat(data['inputs'], stage='head')
    with Counted() as tapped, taps.watch():
        model.extract_feat(data['inputs'], stage='head')
    assert tapped.calls['clone'] == alone.calls['clone']
    assert tapped.calls['relu'] == alone.calls['relu'] + 1 and tapped.calls['relu_'] == alone.calls['relu_'] - 1
    assert [each for each in model.modules() if getattr(each, 'inplace', False)] == in_place and in_place
    recorder = taps._recorders['backbone.layer4:pre']
    taps.read(data['inputs'])
    assert recorder.value is None and recorder._pending == (None, None)


def test_a_pre_activation_that_is_overwritten_all_the_same_is_cloned_from_then_on():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, x):
            return self.relu(x) + x.zero_()

    model, inputs = nn.ModuleDict({'block': Block()}), torch.randn(2, 1, 3, 4, 4)
    taps = TapSet(model, ['block:pre'], 'student')
    for expected in (torch.zeros(2, 3, 4, 4), inputs[:, 0], inputs[:, 0]):
        with taps.watch():
            model['block'](inputs[:, 0].clone())
        assert torch.equal(taps.read(inputs)['block:pre'][:, :, 0], expected)


def test_a_tensor_overwritten_after_the_hook_is_cloned_from_then_on():
    model, data = build('i3d')
    taps, wrong = watch(model, ['backbone.conv1.bn'], data)
    assert not (wrong['backbone.conv1.bn'] < 0).any()
    with taps.watch():
        model.extract_feat(data['inputs'], stage='head')
    right = taps.read(data['inputs'])['backbone.conv1.bn']
    assert (right < 0).any()


def test_calls_of_a_reused_module_are_numbered_from_one():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x):
            return self.layer(self.layer(x))

    model = Twice()
    inputs = torch.randn(2, 1, 3, 1, 1)
    x = torch.randn(2, 3)
    taps = TapSet(model, ['layer#1', 'layer#2'], 'student')
    with taps.watch():
        out = model(x)
    found = taps.read(inputs)
    assert torch.equal(found['layer#1'], model.layer(x))
    assert torch.equal(found['layer#2'], out)
    for name, words in {'layer': 'called 2 times', 'layer#3': 'call #3'}.items():
        taps = TapSet(model, [name], 'student')
        with taps.watch():
            model(x)
        with pytest.raises(ValueError, match=words):
            taps.read(inputs)


def test_recomputation_of_activation_checkpointing_is_not_counted():
    model, data = build('i3d')
    model.backbone.layer3.forward = _checkpointed(model.backbone.layer3.forward)
    taps, found = watch(model, ['backbone.layer3.0'], data)
    found['backbone.layer3.0'].sum().backward()
    assert taps._recorders['backbone.layer3.0'].calls == 1
    assert taps._recorders['backbone.layer3.0'].value is None
    assert model.backbone.conv1.conv.weight.grad is not None


def _checkpointed(forward):
    from torch.utils.checkpoint import checkpoint

    return lambda x: checkpoint(forward, x, use_reentrant=False)


def test_taps_leave_the_output_and_the_gradient_alone():
    model, data = build('slowfast')
    before = model(data['inputs'], stage='head')
    _, found = watch(model, ['backbone[0]', 'backbone[1]', 'logits'], data)
    assert torch.equal(before, found['logits'])
    assert all(feature.requires_grad for feature in found.values())


@pytest.mark.parametrize(
    ('name', 'tap', 'error', 'words'),
    [
        ('i3d', 'backbone.layre3', KeyError, 'backbone.layer3'),
        ('i3d', 'neck', KeyError, 'Recognizer3D has no neck; tap its backbone'),
        ('i3d', 'backbone layer3', ValueError, 'is not a tap name'),
        ('i3d', 'cls_head.fc_cls:pre', ValueError, 'no activation module'),
        ('i3d', 'backbone.norm#0', ValueError, 'second call'),
    ],
)
def test_mistakes_in_names_are_told_at_build(name, tap, error, words):
    model, _ = build(name)
    with pytest.raises(error, match=words):
        TapSet(model, [tap], 'student')


@pytest.mark.parametrize(
    ('name', 'tap', 'words'),
    [
        ('slowfast', 'backbone', r'add \[i\]'),
        ('slowfast', 'backbone[2]', 'out of range'),
        ('i3d', 'cls_head.loss_cls', 'never fired.*such as cls_head.avg_pool, cls_head.dropout, cls_head.fc_cls'),
        ('tsn_r18', 'frame_logits', "use 'logits'"),
    ],
)
def test_mistakes_that_only_a_step_shows(name, tap, words):
    model, data = build(name)
    with pytest.raises(ValueError, match=words):
        watch(model, [tap], data)


def test_a_path_is_parsed_into_its_parts():
    path = TapPath.parse('backbone.layer3.0:pre#2[1][0]')
    assert (path.module, path.pre, path.call, path.items) == ('backbone.layer3.0', True, 2, (1, 0))


def test_a_batch_that_is_no_multiple_of_the_clips_is_refused():
    with pytest.raises(ValueError, match='multiple of the number of clips'):
        to_canonical(torch.zeros(5, 3, 2, 2), clips=2)
