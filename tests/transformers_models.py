"""Tiny models of Hugging Face transformers with random weights, in folders that the library itself writes."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch

NAMES = ('left', 'right', 'up', 'down', 'round and round')
SIZE, FRAMES, PATCH = 32, 4, 8
_LAYERS = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
_LABELS = dict(id2label=dict(enumerate(NAMES)), label2id={name: index for index, name in enumerate(NAMES)})
_CROPPED = dict(size=dict(shortest_edge=SIZE), crop_size=dict(height=SIZE, width=SIZE))
_WHOLE = dict(size=dict(height=SIZE, width=SIZE))
_TEXT = dict(text_config=dict(vocab_size=20, bos_token_id=0, eos_token_id=1, **_LAYERS))


def _rolled(patch: Any, **more: Any) -> dict:
    return dict(image_size=SIZE, num_frames=FRAMES, tubelet_size=patch, **_LAYERS, **_LABELS, **more)


_IMAGE = dict(image_size=SIZE, patch_size=PATCH, **_LAYERS)
_VJEPA = dict(
    patch_size=PATCH, crop_size=SIZE, frames_per_clip=FRAMES, hidden_size=24, num_hidden_layers=2,
    num_attention_heads=2, num_pooler_layers=1, pred_hidden_size=24, pred_num_attention_heads=2,
    pred_num_hidden_layers=1, **_LABELS,
)  # fmt: skip
_VIDEOPRISM = dict(
    image_size=SIZE, num_frames=FRAMES, tubelet_size=[1, PATCH, PATCH], hidden_size=24, num_attention_heads=2,
    intermediate_size=32, num_spatial_layers=2, num_temporal_layers=1, **_LABELS,
)  # fmt: skip


@dataclass(frozen=True)
class TinyModel:
    """A model of transformers: the names of its classes, and how its processor is made.

    Args:
        config: Class of its config.
        kind: Class of the model.
        settings: Arguments of the config.
        processor: Class of its processor; one of videos needs torchvision.
        seen: Arguments of the processor.
        image: Whether it takes frames, not clips.
        input_name: Name of the argument of its pixels.
        first: Whether classes read the first token.
    """

    config: str
    kind: str
    settings: dict
    processor: str
    seen: dict
    image: bool = False
    input_name: str = 'pixel_values'


CLASSIFIERS = dict(
    videomae=TinyModel(
        'VideoMAEConfig', 'VideoMAEForVideoClassification', _rolled(2, patch_size=PATCH), 'VideoMAEImageProcessorPil',
        _CROPPED,
    ),
    timesformer=TinyModel(
        'TimesformerConfig', 'TimesformerForVideoClassification',
        dict(num_frames=FRAMES, **_IMAGE, **_LABELS), 'VideoMAEImageProcessorPil', _CROPPED,
    ),
    vivit=TinyModel(
        'VivitConfig', 'VivitForVideoClassification', _rolled([2, PATCH, PATCH]), 'VivitImageProcessor', _CROPPED
    ),
    vjepa2=TinyModel(
        'VJEPA2Config', 'VJEPA2ForVideoClassification', _VJEPA, 'VJEPA2VideoProcessor', dict(crop_size=SIZE),
        input_name='pixel_values_videos',
    ),
    videoprism=TinyModel(
        'VideoPrismVisionConfig', 'VideoPrismForVideoClassification', _VIDEOPRISM, 'LlavaOnevisionVideoProcessor',
        dict(image_mean=[0.0] * 3, image_std=[1.0] * 3, **_WHOLE), input_name='pixel_values_videos',
    ),
    dinov2=TinyModel(
        'Dinov2Config', 'Dinov2ForImageClassification',
        dict({key: value for key, value in _IMAGE.items() if key != 'intermediate_size'}, **_LABELS),
        'BitImageProcessorPil', _CROPPED, image=True,
    ),
)  # fmt: skip
ENCODERS = {
    name: TinyModel(known.config, kind, known.settings, known.processor, known.seen, known.image, known.input_name)
    for name, kind, known in (
        (f'{name}_encoder', kind, CLASSIFIERS[name])
        for name, kind in dict(
            videomae='VideoMAEModel', timesformer='TimesformerModel', vivit='VivitModel', vjepa2='VJEPA2Model',
            videoprism='VideoPrismVisionModel', dinov2='Dinov2Model',
        ).items()
    )
} | dict(
    clip=TinyModel('CLIPVisionConfig', 'CLIPVisionModel', _IMAGE, 'CLIPImageProcessorPil', _CROPPED, image=True),
    clip_with_text=TinyModel(
        'CLIPConfig', 'CLIPModel', dict(vision_config=_IMAGE, **_TEXT), 'CLIPImageProcessorPil', _CROPPED, image=True
    ),
    siglip=TinyModel(
        'SiglipVisionConfig', 'SiglipVisionModel', _IMAGE, 'SiglipImageProcessorPil', _WHOLE, image=True
    ),
    siglip_with_text=TinyModel(
        'SiglipConfig', 'SiglipModel', dict(vision_config=_IMAGE, **_TEXT), 'SiglipImageProcessorPil', _WHOLE,
        image=True,
    ),
    dinov3=TinyModel(
        'DINOv3ViTConfig', 'DINOv3ViTModel', dict(num_register_tokens=3, **_IMAGE), 'DINOv3ViTImageProcessor', _WHOLE,
        image=True,
    ),
)  # fmt: skip
ALL = {**CLASSIFIERS, **ENCODERS}


def library():
    """Return transformers; the test is skipped where it is missing."""
    found = pytest.importorskip('transformers', reason="transformers is not installed: pip install 'mmkd_video[hf]'")
    found.utils.logging.set_verbosity_error()
    found.utils.logging.disable_progress_bar()
    return found


def processor(name, **changed):
    """Return the library's own processor of a tiny model; the test is skipped where it does not import."""
    kind = ALL[name].processor
    if kind.endswith('VideoProcessor') or kind == 'DINOv3ViTImageProcessor':
        try:
            pytest.importorskip('torchvision', reason=f'{kind} needs torchvision, which is not installed')
        except (RuntimeError, OSError) as error:  # a build for another torch
            pytest.skip(f'{kind} needs torchvision, which does not import: {error}')
    return getattr(library(), kind)(**{**ALL[name].seen, **changed})


def write_processor(root, name, **changed):
    """Write the file of a tiny model's processor; what the library would write where its class does not import."""
    try:
        processor(name, **changed).save_pretrained(root)
    except pytest.skip.Exception:
        import json

        kind = ALL[name].processor
        key, file = (
            ('video_processor_type', 'video_preprocessor_config.json')
            if kind.endswith('VideoProcessor')
            else ('image_processor_type', 'preprocessor_config.json')
        )
        (root / file).write_text(json.dumps({key: kind, **ALL[name].seen, **changed}))


def write(root, name, seed=0, settings=None, **changed):
    """Write the folder of a tiny model; return it with the model itself.

    Args:
        root: The folder.
        name: A key of ``ALL``.
        seed: Seed of its weights.
        settings: Settings of the model that differ.
        **changed: Settings of the processor that differ.
    """
    known, found = ALL[name], library()
    torch.manual_seed(seed)
    model = getattr(found, known.kind)(getattr(found, known.config)(**{**known.settings, **(settings or {})})).eval()
    for parameter in model.parameters():  # most begin at zero or one
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    model.save_pretrained(root)
    write_processor(root, name, **changed)
    return SimpleNamespace(folder=root, name=name, model=model, known=known, config=f'hf::{root}')


def run(made, clips, **asked):
    """Return what the library's own model says about clips ``(N, C, T, H, W)``; its frames are a batch of their own."""
    frames = clips.transpose(1, 2)
    frames = frames.flatten(0, 1) if made.known.image else frames
    model = made.model.vision_model if made.known.kind in ('CLIPModel', 'SiglipModel') else made.model
    asked = dict(asked, skip_predictor=True) if made.known.kind == 'VJEPA2Model' else asked
    with torch.no_grad():
        return model(**{made.known.input_name: frames}, **asked)
