"""What the table of families says is so of the models that it speaks of, and nothing else of the package says it."""

import ast
import inspect
from dataclasses import asdict
from pathlib import Path

import pytest
import zoo
from torch import nn

import mmkd_video
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers import families
from mmkd_video.recognizers.families import FAMILIES, Family
from mmkd_video.recognizers.size import find_size

# A new family is a line here: a model of it, and all that is true of that model.
TABLE = {
    'MobileNet': ('tsm_mobilenet', dict(size=(8, 64, 64), width='widen_factor', frames='num_segments', shift=True)),
    'TSM': ('tsm_r50', dict(size=(8, 64, 64), frames='num_segments', shift=True, depth=True, shortcut=True)),
    'ResNet': ('i3d', dict(size=(8, 64, 64), width='base_channels', depth=True, shortcut=True)),
    'X3D': ('x3d', dict(size=(8, 64, 64), width='gamma_w', depth='gamma_d', shortcut=True)),
    'C3D': ('c3d', dict(size=(16, 112, 112))),
    'TimeSformer': (
        'timesformer',
        dict(size=(8, 32, 32), frames='num_frames', pixels='img_size', tokens='all'),
    ),
    'VideoMAE': ('vit', dict(size=(4, 32, 32), frames='num_frames', pixels='img_size', tokens='pos_drop')),
    'UniFormer': ('uniformer', dict(size=(8, 64, 64), pixels='img_size', tokens='all')),
    'UniFormerV2': (
        'uniformerv2',
        dict(size=(4, 32, 32), frames='t_size', pixels='input_resolution', second=True, tokens='all'),
    ),
    'MViT': (
        'mvit',
        dict(size=(8, 32, 32), frames='temporal_size', pixels='spatial_size', heads=True, tokens='all'),
    ),
    'Swin': ('swin3d', dict(size=(8, 64, 64), last=True, tokens='all')),
    'Swin of torchvision': ('torchvision_swin3d', dict(size=(8, 64, 64), last=True)),
}


def arguments_of(backbone):
    """Return the names of all arguments of a class, those of its bases too."""
    return {name for each in backbone.__mro__ for name in inspect.signature(each.__init__).parameters}


def tokens_of(backbone):
    """Return where tokens may be left out, or that the family needs all; nothing of what is no transformer."""
    try:
        return families.token_entry(backbone)
    except ValueError as error:
        return None if 'it is no transformer' in str(error) else 'all'


def facts_of(name):
    """Return what the table says of a model of the zoo, left out where it says nothing."""
    config, _ = zoo.config_of(name)
    model = MODELS.build(config)
    known = arguments_of(type(model.backbone))

    def first(arguments):
        return next((each for each in arguments if each in known), None)

    norms = [key for key, module in model.named_modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    depth = first(families.DEPTH_ARGUMENTS) or ('depth' in known and config['backbone'].get('depth') in families.DEPTHS)
    found = dict(
        size=find_size(config, None, None, 'student'),
        frames=first(families.FRAME_ARGUMENTS),
        pixels=first(families.PIXEL_ARGUMENTS),
        width=first(families.WIDTH_ARGUMENTS),
        depth=depth,
        last=any(families.keeps_channels_last(module) for module in model.modules()),
        second=any(families.keeps_batch_second(module) for module in model.modules()),
        heads=any(families.has_separable_heads(module) for module in model.modules()),
        shift=any(families.shifts_channels(module) for module in model.modules()),
        shortcut=any(set(key.split('.')) & set(families.SHORTCUTS) for key in norms),
        tokens=tokens_of(model.backbone),
    )
    return {key: value for key, value in found.items() if value}


def test_every_family_has_its_line():
    assert {family.name for family in FAMILIES} == set(TABLE)


@pytest.mark.parametrize(
    'family',
    [pytest.param(name, marks=pytest.mark.torchvision if name.endswith('torchvision') else ()) for name in TABLE],
)
def test_what_is_said_of_a_family_is_so(family):
    model, facts = TABLE[family]
    assert facts_of(model) == facts


def test_what_the_tables_hold_comes_in_the_order_of_the_families():
    assert families.FRAME_ARGUMENTS == ('num_segments', 'num_frames', 't_size', 'temporal_size')
    assert families.PIXEL_ARGUMENTS == ('img_size', 'input_resolution', 'spatial_size')
    assert list(families.WIDTH_ARGUMENTS.items()) == [('widen_factor', 0.05), ('gamma_w', 0.05), ('base_channels', 8)]
    assert list(families.DEPTH_ARGUMENTS.items()) == [('depth_factor', 0.05), ('gamma_d', 0.1)]
    assert families.DEPTHS == (18, 34, 50, 101, 152)


def test_a_class_of_the_same_name_elsewhere_keeps_its_channels_where_they_are():
    elsewhere = type('BasicLayer', (nn.Identity,), {})
    assert not families.keeps_channels_last(elsewhere())
    derived = type('Mine', (type('BasicLayer', (nn.Identity,), {'__module__': 'mmaction.models.backbones.swin'}),), {})
    assert families.keeps_channels_last(derived())


def test_nobody_else_knows_a_class_of_a_family_by_its_name():
    words = {word for family in FAMILIES for word in (*family.channels_last, *family.attentions, *family.shifts)}
    words |= {word for family in FAMILIES for word in family.batch_second}
    words |= {'rgb_path', 'pose_path', 'data_bn_type'}  # submodules
    words |= {word for family in FAMILIES for word in (*family.backbones, family.package) if word}
    folder = Path(mmkd_video.__file__).parent
    found = []
    for path in folder.rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if getattr(node, 'value', None) in words or getattr(node, 'attr', None) in words:
                found.append(str(path.relative_to(folder)))
    assert set(found) == {'recognizers/families.py'}


def test_a_family_knows_nothing_unless_it_is_told():
    assert not any(value for key, value in asdict(Family('any')).items() if key != 'name')
