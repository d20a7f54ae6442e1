"""Files that were made to do harm: nothing of them is run, nothing of their size is made, and no process ends."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from mmkd_video.export import ExportMetadata
from mmkd_video.export.metadata import RULES
from mmkd_video.serving import FramePreparer

ROOT = Path(__file__).resolve().parents[1]
STEPS = [
    dict(type='DecordInit', io_backend='disk'),
    dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=4, test_mode=True),
    dict(type='DecordDecode', io_backend='disk'),
    dict(type='Resize', scale=[-1, 40]),
    dict(type='CenterCrop', crop_size=32),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs'),
]
GOOD = dict(
    classes=['walk', 'run'],
    layout='NCHW',
    shape=[4, 3, 32, 32],
    dtype='uint8',
    frames=4,
    interval=None,
    dynamic_clips=False,
    batch=1,
    channel_order='RGB',
    sampling='every one',
    architecture='Recognizer2D/ResNet/TSNHead',
    precision='f32',
    checkpoint_sha256='1f',
    pipeline=STEPS,
    version='0.1.0',
    states=[],
    several_labels=False,
)


def opened(**changes):
    strings = {name: json.dumps(value) for name, value in {**GOOD, **changes}.items()}
    return FramePreparer(ExportMetadata.from_strings(strings, 'x.onnx'), 'x.onnx')


def with_step(step):
    return [*STEPS[:3], step, *STEPS[4:]]


def test_an_ordinary_file_is_opened():
    assert opened()(np.zeros((48, 64, 3), np.uint8)).shape == (1, 3, 32, 32)


def test_no_field_goes_unchecked():
    assert set(RULES) == set(ExportMetadata.__dataclass_fields__) == set(GOOD)


@pytest.mark.parametrize(
    'step',
    [
        dict(type='os.system', command='touch {sentinel}'),
        dict(type='subprocess.run', args=['touch', '{sentinel}']),
        dict(type='builtins.open', file='{sentinel}', mode='w'),
        dict(type='pathlib.Path.touch', self='{sentinel}'),
        dict(type='mmengine.os.mkdir', path='{sentinel}'),
        dict(type='mmaction.datasets.transforms.Resize', scale=[-1, 40]),
        dict(type='mmengine.Resize', scale=[-1, 40]),
        dict(type='mmkd_video.DistillViews'),
        dict(type='TorchVisionWrapper', op='Resize', size=40),
        dict(type='RandomCrop', size=32),
        dict(type='PyTorchVideoWrapper', op='AugMix'),
        dict(type=['Resize'], scale=[-1, 40]),
        dict(type=None),
        dict(scale=[-1, 40]),
    ],
    ids=lambda step: str(step.get('type')),
)
def test_no_transform_of_a_files_own_choice_is_built(tmp_path, step):
    sentinel = tmp_path / 'sentinel'
    step = json.loads(json.dumps(step).replace('{sentinel}', str(sentinel)))
    with pytest.raises(ValueError, match='x.onnx') as caught:
        opened(pipeline=with_step(step))
    assert not sentinel.exists()
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    'step, said',
    [
        (dict(type='Resize', scale=[10**6, 10**6]), r'Resize.scale: got 1000000, expected a whole number of 1 to 8192'),
        (dict(type='Resize', scale=1e9), r'Resize.scale: got 1000000000.0, expected a number'),
        (dict(type='Resize', scale=2), r'Resize.scale: got 2, expected a factor with'),
        (dict(type='Resize', scale='x'), r"Resize.scale: got 'x'"),
        (
            dict(type='Resize', scale=[]),
            r'Resize.scale: got list, expected a factor with .* or two sides',
        ),
        (dict(type='Resize', scale=[-1, -1]), r'Resize.scale: got -1'),
        (dict(type='Resize', scale=True), r'Resize.scale: got True'),
        (dict(type='Resize'), r"Resize lacks 'scale'; expected scale, keep_ratio, interpolation, lazy"),
        (
            dict(type='Resize', scale=[-1, 40], size=1),
            r"Resize has no argument 'size' here; expected scale",
        ),
        (dict(type='Resize', scale=[-1, 40], lazy=True), r'Resize.lazy: got True, expected one of False'),
        (dict(type='Resize', scale=[-1, 40], interpolation='__import__'), r"interpolation: got '__import__', expected"),
        (dict(type='CenterCrop', crop_size=0), r'CenterCrop.crop_size: got 0, expected a whole number of 1'),
        (dict(type='TenCrop', crop_size=[32, 1 << 40]), r'TenCrop.crop_size: got'),
        (dict(type='Fuse'), r"transform 'Fuse' cannot .* expected Resize, CenterCrop, ThreeCrop, TenCrop"),
    ],
)
def test_transform_argument_and_what_is_allowed_are_named(step, said):
    with pytest.raises(ValueError, match=f'^x.onnx: pipeline: .*{said}'):
        opened(pipeline=with_step(step))


@pytest.mark.parametrize(
    'step',
    [
        dict(type='Resize', scale=0.5),
        dict(type='Resize', scale=[float('inf'), 40], keep_ratio=True, interpolation='area', lazy=False),
        dict(type='mmaction.Resize', scale=[40, 40], keep_ratio=False),
        dict(type='ThreeCrop', crop_size=[32, 32]),
        dict(type='TenCrop', crop_size=32),
    ],
)
def test_what_is_on_the_list_is_built(step):
    opened(pipeline=with_step(step))


@pytest.mark.parametrize(
    'field, value',
    [
        ('classes', []),
        ('classes', 'walk'),
        ('classes', [1]),
        ('classes', ['x' * 1001]),
        ('layout', 'NHWC'),
        ('layout', ['NCHW']),
        ('shape', [4, 3, 32]),
        ('shape', [4, 3, 32, 10**12]),
        ('shape', [2**20, 3, 2**10, 2**10]),
        ('shape', [4, 3, 32, True]),
        ('shape', [4, 3, 32, -1]),
        ('shape', [4, 3, 4, 32, 32]),
        ('dtype', 'object'),
        ('frames', 10**9),
        ('frames', 5),
        ('frames', 0),
        ('frames', 4.0),
        ('frames', '4'),
        ('frames', None),
        ('interval', 10**9),
        ('interval', 0),
        ('dynamic_clips', 1),
        ('batch', 10**9),
        ('channel_order', 'BGR'),
        ('sampling', 'x' * 2001),
        ('architecture', 'x' * 1001),
        ('precision', 'f64'),
        ('checkpoint_sha256', '../x'),
        ('pipeline', {}),
        ('pipeline', [[]]),
        ('pipeline', STEPS * 100),
        ('pipeline', [*STEPS, dict(type='A', x=[[[[[[[[[[1]]]]]]]]]])]),
        ('pipeline', [*STEPS, dict(type='A', x=[0] * 2000)]),
        ('pipeline', [*STEPS, dict(type='A', target_fps=1e-9)]),
        ('version', 1),
    ],
)
def test_values_that_cannot_be_are_refused_before_anything_is_made(field, value):
    with pytest.raises(ValueError, match=rf'^x.onnx: .*{field}') as caught:
        opened(**{field: value})
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize('text', ['', '{', '[' * 100_000, '1' * 5000, '"x', 'x' * (1 << 24), '\x00', '[NaN]'])
def test_what_is_not_json_is_refused(text):
    strings = {name: json.dumps(value) for name, value in GOOD.items()}
    with pytest.raises(ValueError, match='^x.onnx'):
        ExportMetadata.from_strings({**strings, 'frames': text}, 'x.onnx')


def pipelines_of_mmaction():
    """Return every test pipeline among MMAction2's configs of recognizers, but those that draw at random."""
    folder = Path(find_spec('mmaction').origin).parent / '.mim/configs/recognition'
    found = {}
    for path in sorted(folder.rglob('*.py')):
        steps = json.loads(json.dumps(Config.fromfile(path).get('test_pipeline') or []))
        if steps and not any(step['type'] == 'ColorJitter' for step in steps):
            found[json.dumps(steps)] = steps
    return list(found.values())


@pytest.mark.full
def test_every_test_pipeline_of_mmaction_is_built():
    pipelines = pipelines_of_mmaction()
    assert len(pipelines) > 20
    for steps in pipelines:
        opened(pipeline=steps)


@pytest.mark.parametrize('path', sorted((ROOT / 'configs/_base_/datasets').glob('*.py')), ids=lambda path: path.stem)
def test_every_test_pipeline_of_this_project_is_built(path):
    opened(pipeline=json.loads(json.dumps(Config.fromfile(path).test_pipeline)))
