import numpy as np
import pytest
import torch
from mmengine.runner.checkpoint import load_state_dict
from zoo import batch_for, config_of

from mmkd_video.compat import safe_load
from mmkd_video.core.registry import build_model
from mmkd_video.pruning import history_of, prune
from mmkd_video.quantization import (
    choose_operators,
    convert_quantized,
    count_convolutions,
    has_quantizers,
    insert_quantizers,
    load_quantizers,
    quantizer_parameters,
    quantizer_state,
)
from mmkd_video.quantization import operators as operators_module

pytest.importorskip('nncf')


@pytest.fixture(autouse=True, scope='module')
def torch_operators():
    choose_operators('torch')


def build(name='i3d', seed=0):
    torch.manual_seed(seed)
    config, size = config_of(name)
    config['cls_head']['dropout_ratio'] = 0.0
    model = build_model(config)
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=0.3)
    return model, model.data_preprocessor(batch_for(config, size), False)


def scores(model, data):
    model.eval()
    with torch.no_grad():
        return model(data['inputs'], mode='tensor', stage='head')


@pytest.fixture(scope='module')
def quantized():
    model, data = build()
    model.before = scores(model, data)
    model.keys, model.objects = list(model.state_dict()), [id(p) for p in model.parameters()]
    model.train()
    insert_quantizers(model, [data['inputs']])
    model.was_training = all(module.training for module in model.backbone.modules() if hasattr(module, 'weight'))
    return model, data


def test_outputs_are_rounded_but_alike(quantized):
    model, data = quantized
    after = scores(model, data)
    assert not torch.equal(after, model.before)
    assert (after - model.before).abs().max() < 0.1 * model.before.abs().max()


def test_the_model_keeps_its_parameters_its_keys_and_its_mode(quantized):
    model, _ = quantized
    assert list(model.state_dict()) == model.keys and not hasattr(model.state_dict(), 'nncf')
    assert {id(p) for p in model.parameters()} >= set(model.objects)
    assert model.was_training


def test_weights_begin_in_the_half_of_their_range_that_no_processor_overflows():
    model, data = build()
    insert_quantizers(model, [data['inputs']])
    scales = {
        name.removeprefix('pre_hooks.').partition('/conv3d/')[0].replace('/', '.'): tensor
        for name, tensor in quantizer_state(model)['tensors'].items()
        if '__1.0.' in name and name.endswith('_scale_param_storage')  # of the second input, the weights
    }
    assert len(scales) == sum(isinstance(each, torch.nn.Conv3d) for each in model.backbone.modules()) > 0
    for name, scale in scales.items():
        taken = (model.backbone.get_submodule(name).weight.abs() / scale).amax(dim=(1, 2, 3, 4))
        assert 0.49 < taken.max() < 0.51, name


def test_weights_and_ranges_are_trained(quantized):
    model, data = quantized
    model.train()
    model.zero_grad()
    model.loss(**data)['loss_cls'].backward()
    assert len(quantizer_parameters(model)) > 20
    for parameter in [*quantizer_parameters(model), model.backbone.conv1.conv.weight]:
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all()
    assert any(parameter.grad.abs().max() > 0 for parameter in quantizer_parameters(model))


def test_quantizers_are_data_and_come_back_exactly(quantized, tmp_path):
    model, data = quantized
    file = tmp_path / 'quantized.pth'
    torch.save(dict(state_dict=model.state_dict(), quantization=quantizer_state(model)), file)
    saved = safe_load.load(file)
    assert len(saved['quantization']['config']) < 100_000
    other, _ = build(seed=1)
    other.load_state_dict(saved['state_dict'], strict=True)  # a plain model takes the weights
    assert not torch.equal(scores(other, data), scores(model, data))
    load_quantizers(other, saved['quantization'])
    assert torch.equal(scores(other, data), scores(model, data))


def test_both_loaders_take_plain_weights_without_a_word(quantized, capsys):
    model, _ = quantized
    state = {key: value.clone() for key, value in model.state_dict().items()}
    ranges = [parameter.clone() for parameter in quantizer_parameters(model)]
    assert model.load_state_dict(state, strict=True) == ([], [])
    load_state_dict(model, state, strict=True)
    assert capsys.readouterr().out == ''
    assert all(torch.equal(a, b) for a, b in zip(ranges, quantizer_parameters(model), strict=True))


def test_bad_input(quantized):
    model, data = quantized
    with pytest.raises(ValueError, match='has quantizers already'):
        insert_quantizers(model, [data['inputs']])
    plain, _ = build()
    with pytest.raises(ValueError, match='got no clips'):
        insert_quantizers(plain, [])
    with pytest.raises(ValueError, match='quantizers must come with format'):
        load_quantizers(plain, dict(a=1))
    state = quantizer_state(model)
    state['tensors'].popitem()
    forward = plain.backbone.forward
    with pytest.raises(ValueError, match='quantizers do not fit their own description'):
        load_quantizers(plain, state)
    assert not has_quantizers(plain) and plain.backbone.forward == forward
    plain.backbone.layer1[0].with_cp = True
    with pytest.raises(ValueError, match='set with_cp=False'):
        insert_quantizers(plain, [data['inputs']])
    with pytest.raises(ValueError, match='has no backbone to quantize'):
        insert_quantizers(torch.nn.Linear(1, 1), [data['inputs']])
    assert not has_quantizers(plain) and quantizer_state(plain) is None


def test_missing_compilers_are_named(monkeypatch):
    monkeypatch.setenv('PATH', '')
    monkeypatch.delenv('CXX', raising=False)
    assert operators_module.missing_compilers(cuda=True) == ['g++', 'ninja', 'nvcc']
    with pytest.raises(RuntimeError, match=r"needs g\+\+ and ninja on the PATH .* set operators='torch'"):
        choose_operators('compiled')
    assert choose_operators('auto') == 'torch'
    with pytest.raises(ValueError, match="operators: got 'numpy'"):
        choose_operators('numpy')


def test_a_pruned_recognizer_is_quantized_and_rebuilt():
    pytest.importorskip('torch_pruning')
    model, data = build()
    prune(model, data['inputs'][:1], dict(params=0.5))
    insert_quantizers(model, [data['inputs']])
    history = history_of(model).to_json()
    other = build_model(dict(type='PrunedRecognizer', recognizer=config_of('i3d')[0], history=history))
    other.load_state_dict(model.state_dict(), strict=True)
    load_quantizers(other, quantizer_state(model))
    assert torch.equal(scores(other, data), scores(model, data))


@pytest.mark.slow
def test_a_trained_quantizer_runs_in_int8(quantized):
    ov = pytest.importorskip('openvino')
    from mmkd_video.export import DeployableRecognizer

    model, data = quantized
    deployable = DeployableRecognizer(model)
    samples = np.random.default_rng(0).integers(0, 256, (3, 1, 3, 8, 32, 32), dtype=np.uint8)
    converted = convert_quantized(deployable, samples[:1])
    compiled = ov.Core().compile_model(converted, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
    count = count_convolutions(compiled)
    assert (count.quantized, count.total) == (20, 20)
    assert converted.input(0).get_names() == {'clips'} and converted.output(0).get_names() == {'probabilities'}
    assert compiled([samples])[0] == pytest.approx(deployable.predict(samples), abs=0.05)
