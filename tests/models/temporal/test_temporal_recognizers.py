"""Recognizers with modules over time: steps on real clips, taps, pruning, half precision, resume."""

import copy

import clips
import pytest
import torch
from mmengine.runner import Runner
from zoo import MEAN_STD

from mmkd_video.core.registry import build_model
from mmkd_video.pruning import prune
from mmkd_video.recognizers.complexity import measure_complexity
from mmkd_video.recognizers.input_form import noise_clip
from mmkd_video.taps import TapSet

NET = dict(type='MobileNetV2', widen_factor=0.25, pretrained=None)
LSTM, GRU = dict(type='ConvLSTM'), dict(type='ConvGRU')
WIDTH = 1280
NECKS = {
    'lstm': (dict(type='ConvRecurrentNeck', in_channels=WIDTH, channels=8, cell=LSTM, bidirectional=True), 16),
    'pool': (dict(type='TemporalPool'), WIDTH),
    'pyramid': (dict(type='SpaceTimePyramidPool'), 7 * WIDTH),
    'attention': (dict(type='AttentionPool', in_channels=WIDTH), WIDTH),
    'gem': (dict(type='GeMPool'), WIDTH),
    'netvlad': (dict(type='NetVLADPool', in_channels=WIDTH, channels=8), 64),
    'transformer': (dict(type='FrameTransformer', in_channels=WIDTH, channels=16), 16),
}
HEADS = {
    'rnn': (None, dict(type='RecurrentHead', in_channels=WIDTH, channels=8)),
    'window rnn': (dict(type='WindowPool'), dict(type='RecurrentHead', in_channels=WIDTH, channels=8, cell='gru')),
    'window': (dict(type='WindowPool'), dict(type='I3DHead', in_channels=WIDTH)),
    'conv rnn': (
        dict(type='ConvRecurrentNeck', in_channels=WIDTH, channels=8, cell=GRU, output='all'),
        dict(type='RecurrentHead', in_channels=8, channels=8, bidirectional=True, readout='mean'),
    ),
}


def config_of(name, flat):
    """Return the config of a recognizer, 2D or 3D."""
    if name in NECKS:
        neck, width = NECKS[name]
        head = dict(type='TSNHead' if flat else 'I3DHead', in_channels=width)
    else:
        neck, head = HEADS[name]
    return copy.deepcopy(
        dict(
            type='Recognizer2D' if flat else 'Recognizer3D',
            backbone=dict(type='FrameBackbone', net=NET, num_segments=4),
            **(dict(neck=neck) if neck else {}),
            cls_head=dict(head, num_classes=5, average_clips='prob'),
            data_preprocessor=dict(type='ActionDataPreprocessor', **MEAN_STD, format_shape='NCHW' if flat else 'NCTHW'),
        )
    )


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips') / 'set', count=4)


@pytest.mark.parametrize('flat', [True, False], ids=['2D', '3D'])
@pytest.mark.parametrize('name', [*NECKS, *HEADS])
def test_a_step_reaches_all_parameters_and_taps_are_laid_out(name, flat):
    torch.manual_seed(0)
    model = build_model(config_of(name, flat)).train()
    inputs = torch.randn(2, 4, 3, 32, 32) if flat else torch.randn(2, 1, 3, 4, 32, 32)
    taps = ['backbone.net.layer4', 'pooled', 'logits', *(['neck'] if model.with_neck else [])]
    taps = TapSet(model, taps, 'student')
    with taps.watch():
        scores = model.extract_feat(inputs, stage='head')[0]
    found = taps.read(inputs)
    assert found['logits'].shape == (2, 5) and found['pooled'].ndim == 2 and len(found['pooled']) == 2
    assert found['backbone.net.layer4'].shape == (2, 16, 4, 2, 2)
    assert 'neck' not in found or (found['neck'].ndim == 5 and len(found['neck']) == 2)
    scores.square().sum().backward()
    assert [key for key, each in model.named_parameters() if each.grad is None] == []
    model.eval()
    with torch.autocast('cpu', torch.bfloat16), torch.no_grad():
        assert model.extract_feat(inputs, stage='head')[0].isfinite().all()


@pytest.mark.parametrize('name', ['lstm', 'transformer', 'window', 'window rnn'])
def test_pruning_leaves_what_mixes_channels_whole(name):
    pytest.importorskip('torch_pruning')
    torch.manual_seed(0)
    model = build_model(config_of(name, False)).eval()
    clip = noise_clip(model, (4, 32, 32))
    history = prune(model, clip, dict(params=0.9), max_ratio=0.9)
    said = history.steps[0].settings.get('left_whole', '')
    kinds = dict(lstm='a ConvRecurrentNeck', transformer='a FrameTransformer', window='', **{'window rnn': 'a GRU'})
    assert kinds[name] in said and bool(said) == bool(kinds[name])
    assert model.extract_feat(clip, stage='head')[0].shape == (1, 5)


def test_what_is_recurrent_alone_is_refused_in_words():
    pytest.importorskip('torch_pruning')
    config = config_of('pool', False)
    del config['neck']
    config['backbone'] = dict(type='ConvRecurrentBackbone', cell=GRU, channels=(4, 8), strides=(2, 2), out_indices=(1,))
    config['cls_head'] = dict(type='I3DHead', num_classes=5, in_channels=8)
    model = build_model(config).eval()
    with pytest.raises(ValueError, match='no channel of this Recognizer3D can be pruned.*(\n.*)*is a ConvStack'):
        prune(model, noise_clip(model, (4, 32, 32)), dict(params=0.9))


def test_operations_of_a_2d_recognizer_with_a_neck_are_counted():
    model = build_model(config_of('lstm', True))
    params, gflops = measure_complexity(model, noise_clip(model, (4, 32, 32))[0])
    assert params == sum(each.numel() for each in model.parameters()) and gflops > 0


@pytest.mark.slow
def test_training_on_real_clips_resumes_where_it_was(videos, tmp_path):
    def run(folder, epochs, **extra):
        torch.manual_seed(0)
        config = clips.runner_config(
            videos, tmp_path / folder, config_of('window rnn', True), clips.pipeline(frames=4), epochs=epochs,
            experiment_name=f'{tmp_path.name}-{folder}-{epochs}', **extra,
        )  # fmt: skip
        config['param_scheduler'] = []
        config['custom_hooks'] = [dict(type='ReproducibleHook')]
        config['val_dataloader']['dataset']['pipeline'] = clips.pipeline(frames=4, train=False)
        runner = Runner.from_cfg(config)
        runner.train()
        return runner.model.state_dict()

    whole = run('whole', 2)
    run('half', 1)
    resumed = run('half', 2, resume=True)
    assert whole.keys() == resumed.keys()
    for key, value in whole.items():
        assert torch.equal(value, resumed[key]), key
