import json
from copy import deepcopy

import pytest

from mmkd_video.core.plain_data import FLAG, Anything, Many, Maybe, Number, OneOf, Record, Table, Text, Whole, read_json
from mmkd_video.datasets.motion_set import read_manifest
from mmkd_video.quantization.quantizer_rules import read_quantizer_config


@pytest.mark.parametrize(
    'rule, good, bad',
    [
        (Text(3, '[a-c]+'), ['a', 'abc'], ['', 'abcd', 'x', 1, None, b'a', 'a\n']),
        (Whole(0, 5), [0, 5], [-1, 6, 1.0, True, '1', None, 10**5000]),
        (Number(0, 5), [0, 2.5, 5], [-0.1, 5.1, float('nan'), float('inf'), True, '1', None]),
        (OneOf((1, 'a')), [1, 'a'], [True, 1.0, 'b', None, [1], {}]),
        (FLAG, [True, False], [0, 1, None, 'True']),
        (Maybe(Whole(0, 5)), [None, 3], [False, '3']),
        (Many(Whole(0, 5), most=2, fewest=1), [[1], [1, 2]], [[], [1, 2, 3], [6], 1, '12', {}]),
        (
            Record({'a': FLAG}, {'b': FLAG}),
            [{'a': True}, {'a': True, 'b': False}],
            [{}, {'a': True, 'c': 1}, {'a': 1}, []],
        ),
        (
            Table(Whole(0, 5), most=1, key_pattern='x+'),
            [{}, {'x': 1}],
            [{'y': 1}, {'x': 6}, {'x': 1, 'xx': 1}, {1: 1}, []],
        ),
        (Anything(items=3, depth=3), [1, [1, 2, 3], {'a': None}], [[1, 2, 3, 4], [[[[]]]], object(), [object()]]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_rules(rule, good, bad):
    for value in good:
        rule.check(value, 'place')
    for value in bad:
        with pytest.raises(ValueError, match='^place.*expected') as caught:
            rule.check(value, 'place')
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize('text', ['[' * 100_000, '{', '', '1' * 10_000, b'\xff', None, 1, 'x' * 100])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(ValueError, match='^file: '):
        read_json(text, Anything(), 'file', longest=200_000)
    with pytest.raises(ValueError, match='at most 3 characters'):
        read_json('[1, 2]', Anything(), 'file', longest=3)


def test_a_manifest_names_clips_in_its_folder_alone(tmp_path):
    manifest = dict(version=1, seed=0, num_clips=dict(train=1), sha256={'train/0000_left.mp4': 'a' * 64})
    (tmp_path / 'manifest.json').write_text(json.dumps(manifest))
    assert read_manifest(tmp_path) == manifest
    for name in ('../outside.mp4', '/etc/passwd', 'train/../../x.mp4'):
        (tmp_path / 'manifest.json').write_text(json.dumps({**manifest, 'sha256': {name: 'a' * 64}}))
        with pytest.raises(ValueError, match='manifest.json.sha256: got .*, expected keys of the form'):
            read_manifest(tmp_path)


QUANTIZER = dict(
    hook_names_in_model=['pre_hooks.conv1:conv/conv2d/0__1.0'],
    module_path='nncf.torch.quantization.layers',
    module_cls_name='SymmetricQuantizer',
    module_config=dict(
        num_bits=8,
        mode='symmetric',
        signedness_to_force=None,
        narrow_range=True,
        half_range=False,
        scale_shape=[64, 1, 1, 1, 1],
        logarithm_scale=False,
        is_quantized_on_export=False,
    ),
)


def test_quantizers_of_a_checkpoint_are_read():
    config = dict(compression_state=[QUANTIZER])
    assert read_quantizer_config(json.dumps(config), 'x') == config


@pytest.mark.parametrize(
    'keys, value',
    [
        (['module_path'], 'os'),
        (['module_path'], 'nncf.telemetry'),
        (['module_cls_name'], 'AsymmetricLoraQuantizer'),
        (['module_cls_name'], 'AsymmetricQuantizer'),
        (['hook_names_in_model'], ['forward.x__0.0']),
        (['hook_names_in_model'], ['pre_hooks.a.b__0.0']),
        (['hook_names_in_model'], []),
        (['module_config', 'num_bits'], 10**9),
        (['module_config', 'mode'], 'asymmetric_lora'),
        (['module_config', 'scale_shape'], [10**12]),
        (['module_config', 'scale_shape'], [2**20, 2**20]),
        (['module_config', 'scale_shape'], [-1]),
        (['module_config', 'narrow_range'], 1),
        (['module_config', 'lora_rank'], 256),
        (['more'], 1),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_checkpoint_asks_for_no_class_of_its_own_choice(keys, value):
    command = deepcopy(QUANTIZER)
    place = command
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    with pytest.raises(ValueError, match=r'^x(:|\.)'):
        read_quantizer_config(json.dumps(dict(compression_state=[command])), 'x')
