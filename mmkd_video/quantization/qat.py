"""Quantizers in a recognizer during training."""

import copy
import json
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mmkd_video.core.mistakes import WorkFailedError, WrongValueError
from mmkd_video.quantization.nncf_library import import_nncf, preset_of
from mmkd_video.quantization.quantizer_rules import read_quantizer_config

QUANTIZATION_KEY = 'quantization'  # the checkpoint's own top-level key; its value is what quantizer_state returns
FORMAT = 'mmkd_video.quantization/1'
STORAGE = '__nncf_hooks'  # where NNCF keeps quantizers in a model


def insert_quantizers(recognizer: nn.Module, clips: Sequence[Tensor], preset: str = 'mixed') -> None:
    """Make the backbone of a recognizer compute with weights and activations rounded to 8 bits, in place.

    Weights take half of the range of 8 bits, so that the file computes the same on processors with and without VNNI.
    All parameters stay the objects that they are; the quantizers' ranges are new ones, trained like the others. They
    are neither in the ``state_dict`` nor expected by it: see :func:`quantizer_state`.

    Source: quantization-aware training of NNCF (https://github.com/openvinotoolkit/nncf).

    Args:
        recognizer: A ``Recognizer2D`` or ``Recognizer3D``.
        clips: Batches of preprocessed clips ``(N, M, ...)`` to find the first ranges on.
        preset: ``'mixed'`` or ``'performance'``.

    Raises:
        MissingExtraError: NNCF is not installed.
        ValueError: There are no clips, it has quantizers already, or it recomputes activations (``with_cp``).
        RuntimeError: NNCF cannot quantize this model.
    """
    nncf, preset = import_nncf(), preset_of(preset)
    _check(recognizer)
    if not len(clips):
        raise WrongValueError('calibration: got no clips, expected at least one batch; the data set is empty')
    inputs = backbone_inputs(recognizer, clips)
    twin = copy.deepcopy(recognizer.backbone)
    twin.eval()
    try:
        with torch.random.fork_rng(devices=[]):
            quantized = nncf.quantize(
                twin,
                nncf.Dataset(inputs),
                preset=preset,
                subset_size=len(inputs),
                # Biases are trained anyway. Products of full-range weights overflow 16 bits on processors without VNNI.
                advanced_parameters=nncf.AdvancedQuantizationParameters(
                    disable_bias_correction=True, overflow_fix=nncf.OverflowFix.ENABLE
                ),
            )
    except nncf.errors.UnsupportedModelError as error:
        raise WorkFailedError(f'NNCF {nncf.__version__} cannot quantize this model: {error}') from error
    load_quantizers(recognizer, _state(quantized))


def load_quantizers(recognizer: nn.Module, state: Mapping) -> None:
    """Insert the quantizers of another recognizer, in place.

    Args:
        recognizer: Recognizer without quantizers, of the same architecture.
        state: Result of :func:`quantizer_state`.

    Raises:
        MissingExtraError: NNCF is not installed.
        ValueError: It has quantizers already, or the state is something else or of another architecture.
    """
    import_nncf()
    from nncf.torch import load_from_config

    _check(recognizer)
    if not isinstance(state, Mapping) or state.get('format') != FORMAT:
        raise WrongValueError(f'quantizers must come with format={FORMAT!r}; got {str(state)[:60]!r}')
    backbone = recognizer.backbone
    device = next(backbone.parameters()).device
    config = read_quantizer_config(state.get('config'), 'quantization: config')
    given = state.get('tensors')
    if not isinstance(given, Mapping) or not all(isinstance(each, Tensor) for each in given.values()):
        raise WrongValueError(
            'quantization: tensors: expected tensors by name; the checkpoint was made by something else'
        )
    described = _tensors(getattr(load_from_config(nn.Identity(), config), STORAGE))
    wrong = sorted(set(described) ^ set(given))
    if wrong:
        raise WrongValueError(f'quantizers do not fit their own description: {wrong[:3]} are on one side only')
    wrong = [name for name, tensor in described.items() if tensor.shape != given[name].shape]
    if wrong:
        raise WrongValueError(f'quantizers do not fit their own description: {wrong[:3]} have another shape')
    storage = getattr(load_from_config(backbone, config), STORAGE)
    own = _tensors(storage)
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(given[name])
    storage.to(device)
    storage.train(backbone.training)
    storage._register_state_dict_hook(_leave_out)
    storage.register_load_state_dict_post_hook(_allow_missing)


def has_quantizers(recognizer: nn.Module) -> bool:
    """Return whether a recognizer computes with quantizers."""
    return hasattr(recognizer.backbone, STORAGE)


def quantizer_state(recognizer: nn.Module) -> dict | None:
    """Return what rebuilds the quantizers of a recognizer: text and tensors only; None where it has none."""
    return _state(recognizer.backbone) if has_quantizers(recognizer) else None


def quantizer_parameters(recognizer: nn.Module) -> list[nn.Parameter]:
    """Return the ranges that are trained, in a fixed order."""
    return [parameter for parameter in getattr(recognizer.backbone, STORAGE).parameters() if parameter.requires_grad]


def quantizer_tensors(recognizer: nn.Module) -> list[Tensor]:
    """Return all tensors of the quantizers, in a fixed order; not copies."""
    return list(_tensors(getattr(recognizer.backbone, STORAGE)).values())


@torch.no_grad()
def backbone_inputs(recognizer: nn.Module, clips: Sequence[Tensor]) -> list[Tensor]:
    """Return what the backbone gets for some batches.

    Args:
        recognizer: Recognizer, without a trace of it afterwards: it runs in eval mode, without gradient.
        clips: Batches of preprocessed clips ``(N, M, ...)``.

    Returns:
        ``(N * M, C, H, W)`` or ``(N * M, C, T, H, W)`` for each.
    """
    found = []
    handle = recognizer.backbone.register_forward_pre_hook(lambda _module, arguments: found.append(arguments[0]))
    modes = {module: module.training for module in recognizer.modules()}
    recognizer.eval()
    try:
        for batch in clips:
            recognizer.extract_feat(batch, stage='backbone')
    finally:
        handle.remove()
        for module, training in modes.items():
            module.training = training
    return found


def _check(recognizer: nn.Module) -> None:
    if not isinstance(getattr(recognizer, 'backbone', None), nn.Module):
        raise WrongValueError(f'{type(recognizer).__name__} has no backbone to quantize; expected a recognizer')
    if has_quantizers(recognizer):
        raise WrongValueError('the recognizer has quantizers already')
    if any(getattr(module, 'with_cp', False) for module in recognizer.backbone.modules()):
        raise WrongValueError(
            'backbone.with_cp=True recomputes activations, and would do so without quantizers; set with_cp=False'
        )


def _state(backbone: nn.Module) -> dict:
    from nncf.torch import get_config

    tensors = {name: tensor.detach().cpu().clone() for name, tensor in _tensors(getattr(backbone, STORAGE)).items()}
    return dict(format=FORMAT, config=json.dumps(get_config(backbone)), tensors=tensors)


def _tensors(storage: nn.Module) -> dict[str, Tensor]:
    # state_dict() is what we leave out; and NNCF renames in it
    found: dict[str, Tensor] = {}
    for name, module in storage.named_modules():
        module._save_to_state_dict(found, f'{name}.', keep_vars=True)
    return found


def _leave_out(_storage: nn.Module, state: dict, prefix: str, _metadata: dict) -> None:
    for mapping in (state, getattr(state, '_metadata', {})):
        for key in [key for key in mapping if f'{key}.'.startswith(prefix)]:
            del mapping[key]


def _allow_missing(_storage: nn.Module, incompatible: tuple) -> None:
    for keys in incompatible:
        keys[:] = [key for key in keys if STORAGE not in key]
