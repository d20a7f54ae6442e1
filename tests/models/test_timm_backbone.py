import mmkd_video  # noqa: F401  isort: skip  mends the imports below
import subprocess
import sys

import clips
import pytest
import safetensors.torch
import timm_models
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.runner import Runner

from mmkd_video.core.registry import MODELS, build_model
from mmkd_video.models import TimmBackbone, TimmPreprocessor
from mmkd_video.recognizers.complexity import measure_complexity
from mmkd_video.recognizers.families import shifts_channels
from mmkd_video.recognizers.input_form import noise_clip
from mmkd_video.recognizers.size import find_size
from mmkd_video.recognizers.without_weights import channels_without_weights, count_without_weights

SIZE = (timm_models.FRAMES, 64, 64)
SMALL = 'mobilenetv4_conv_small'
vision = pytest.mark.torchvision


def batch(model, clips=2, frames=timm_models.FRAMES):
    samples = [ActionDataSample().set_gt_label(i) for i in range(clips)]
    inputs = [torch.randint(0, 256, (frames, 3, 64, 64), dtype=torch.uint8) for _ in samples]
    return model.data_preprocessor(dict(inputs=inputs, data_samples=samples), True)


@vision
@pytest.mark.parametrize('name', timm_models.NAMES)
@pytest.mark.parametrize('kind', [timm_models.tsm, timm_models.tsn])
def test_a_recognizer_trains_a_step(kind, name):
    torch.manual_seed(0)
    model = build_model(kind(name))
    model.init_weights()
    losses = model(**batch(model), mode='loss')
    losses['loss_cls'].backward()
    idle = [name for name, each in model.named_parameters() if each.grad is None or not each.grad.isfinite().all()]
    assert not idle
    assert any(shifts_channels(module) for module in model.modules()) is (kind is timm_models.tsm)


@vision
@pytest.mark.parametrize('name', [SMALL, 'fastvit_t8'])
def test_sizes_and_costs_are_found(name):
    config = timm_models.tsm(name)
    model = build_model(config)
    channels = timm_models.CHANNELS[name]
    assert find_size(config, None, None, 'student') == SIZE
    assert model.backbone.net.out_channels == channels == channels_without_weights(config, SIZE)
    params, gflops = measure_complexity(model, noise_clip(model, SIZE)[0])
    without, fewer = count_without_weights(config, SIZE)
    assert params == without + (channels + 1) * timm_models.CLASSES
    assert fewer == pytest.approx(gflops, rel=0.15)


@vision
def test_teaches_and_learns_at_taps():
    middle, channels = timm_models.MIDDLE[SMALL]
    theirs, wider = timm_models.MIDDLE['repvit_m0_9']
    student = timm_models.tsm(SMALL)
    model = MODELS.build(
        dict(
            type='Distiller',
            student=student,
            teacher=dict(config=timm_models.tsn('repvit_m0_9'), checkpoint=None),
            input_size=SIZE,
            terms=[
                dict(type='KDLoss', at='logits', weight=0.5),
                dict(type='FitNetLoss', at=(f'backbone.net.{middle}', f'backbone.{theirs}')),
            ],
        )
    ).train()
    data = batch(model)
    losses = model(**data, mode='loss')
    model.parse_losses(losses)[0].backward()
    assert losses['kd_raw'] > 0 and losses['fitnet_raw'] > 0
    projections = [each for name, each in model.named_parameters() if each.shape == (wider, channels)]
    assert len(projections) == 1 and projections[0].grad.abs().sum() > 0
    assert set(model.state_dict()) == set(build_model(student).state_dict()), 'the checkpoint is the student'


@vision
@pytest.mark.slow
def test_trains_on_videos_and_goes_on_from_its_checkpoint(tmp_path):
    root = clips.make_set(tmp_path / 'clips', count=4)
    config = Config(clips.runner_config(root, tmp_path / 'out', timm_models.tsm(SMALL, frames=8), epochs=1))
    Runner.from_cfg(config).train()
    config.load_from, config.work_dir = str(tmp_path / 'out' / 'epoch_1.pth'), str(tmp_path / 'again')
    again = Runner.from_cfg(config)
    again.load_or_resume()
    saved = torch.load(config.load_from, weights_only=False)['state_dict']
    assert all(torch.equal(value, saved[name]) for name, value in again.model.state_dict().items())
    assert 0 <= again.val()['acc/top1'] <= 1


@vision
@pytest.mark.parametrize('suffix', ['.safetensors', '.pth'])
def test_weights_come_from_a_local_file_with_a_classifier(suffix, tmp_path):
    import timm

    torch.manual_seed(1)
    whole = timm.create_model(SMALL, pretrained=False, num_classes=7).eval()
    path = tmp_path / f'weights{suffix}'
    safetensors.torch.save_file(whole.state_dict(), path) if suffix != '.pth' else torch.save(
        dict(state_dict=whole.state_dict()), path
    )
    frames = torch.randn(2, 3, 64, 64)
    for pre_logits in (False, True):
        net = TimmBackbone(SMALL, str(path), pre_logits=pre_logits).eval()
        net.init_weights()
        with torch.no_grad():
            expected = whole.forward_features(frames)
            expected = whole.forward_head(expected, pre_logits=True)[..., None, None] if pre_logits else expected
            assert torch.equal(net(frames), expected)
        assert net.out_channels == expected.shape[1]
    model = build_model(timm_models.tsm(SMALL, pretrained=str(path)))
    model.init_weights()
    shifted = {name.replace('.net.', '.'): each for name, each in model.backbone.net.model.state_dict().items()}
    assert all(torch.equal(each, whole.state_dict()[name]) for name, each in shifted.items())


@vision
@pytest.mark.parametrize(
    ('content', 'kind', 'message'),
    [
        (None, FileNotFoundError, 'does not exist; expected a local file'),
        ({'conv_stem.weight': torch.ones(1)}, ValueError, 'is not of this architecture'),
        ({'state_dict': {'a': 'b'}}, ValueError, 'holds no weights'),
        (b'nothing', ValueError, 'cannot be read'),
        (print, ValueError, 'refused'),
    ],
    ids=['missing', 'other', 'no tensors', 'damaged', 'code'],
)
def test_files_that_are_no_weights_are_refused(content, kind, message, tmp_path):
    path = tmp_path / 'weights.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(kind, match=message):
        TimmBackbone(SMALL, str(path)).init_weights()


@vision
def test_damaged_safetensors_are_refused(tmp_path):
    path = tmp_path / 'weights.safetensors'
    path.write_bytes(b'\x10' * 64)
    with pytest.raises(ValueError, match='is damaged or no safetensors file'):
        TimmBackbone(SMALL, str(path)).init_weights()


@vision
@pytest.mark.parametrize(
    ('keys', 'message'),
    [
        (dict(model='mobilenetv4_conv_smal'), "got 'mobilenetv4_conv_smal'; expected .* such as mobilenetv4_conv_sma"),
        (dict(model='hf-hub:timm/resnet18.a1_in1k'), 'expected the name of a model of timm'),
        (dict(model=f'{SMALL}.none'), "got the tag 'none'; expected one of e"),
        (dict(model=SMALL, options=dict(pretrained=True)), "options: got 'pretrained'"),
        (dict(model=SMALL, options=dict(wings=2)), 'mobilenetv4_conv_small cannot be built so: .*wings'),
        (dict(model=SMALL, in_channels=0), 'in_channels: got 0'),
    ],
)
def test_wrong_settings_are_named(keys, message):
    with pytest.raises(ValueError, match=message):
        TimmBackbone(**keys)


@vision
def test_tokens_and_channels_last():
    frames = torch.randn(1, 3, 224, 224)
    with pytest.raises(ValueError, match=r'gives features of shape \(1, 197, 192\), no map .*; set pre_logits'):
        TimmBackbone('vit_tiny_patch16_224')
    with torch.no_grad():
        assert TimmBackbone('vit_tiny_patch16_224', pre_logits=True).eval()(frames).shape == (1, 192, 1, 1)
        assert TimmBackbone('swin_tiny_patch4_window7_224').eval()(frames).shape == (1, 768, 7, 7)


@vision
def test_normalisation_and_view_are_those_of_the_weights():
    net = TimmBackbone('tf_efficientnet_lite0')
    assert net.pretrained_cfg['input_size'] == (3, 224, 224) and net.pretrained_cfg['crop_pct'] == 0.875
    made = TimmPreprocessor('tf_efficientnet_lite0.in1k')
    assert made.mean.flatten().tolist() == made.std.flatten().tolist() == [127.5] * 3
    imagenet = TimmPreprocessor(SMALL)
    assert imagenet.mean.flatten().tolist() == pytest.approx([123.675, 116.28, 103.53])
    assert imagenet.format_shape == 'NCHW'


def test_without_timm_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'timm', None)
    minor = int(torch.__version__.split('.')[1])
    with pytest.raises(ImportError, match=rf"pip install 'torchvision==0\.{minor + 15}\.\*' timm"):
        TimmBackbone(SMALL)


@pytest.mark.slow
def test_nothing_of_timm_is_imported_unless_it_is_used():
    code = "import mmkd_video, sys; print([name for name in sys.modules if name.startswith('timm')])"
    done = subprocess.run([sys.executable, '-c', code], text=True, capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == '[]'
