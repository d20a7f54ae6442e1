"""Tiny models of Hugging Face transformers that compare images or videos with texts, with tokenizers of their own."""

import json
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
import transformers_models as tiny

SIZE, FRAMES = tiny.SIZE, tiny.FRAMES
LETTERS = "abcdefghijklmnopqrstuvwxyz.,'"
WIDTH, SPACE, LONGEST = 24, 16, 64
_LAYERS = dict(hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
_IMAGE = dict(image_size=SIZE, patch_size=tiny.PATCH, **_LAYERS)
_TEXT = dict(max_position_embeddings=LONGEST, vocab_size=80, **_LAYERS)
_ENDS = dict(bos_token_id=0, eos_token_id=1, pad_token_id=1)
_CROPPED = dict(size=dict(shortest_edge=64), crop_size=dict(height=SIZE, width=SIZE))  # frames of the tests' videos: 64
_WHOLE = dict(size=dict(height=64, width=64))
_MIT = dict(mit_hidden_size=SPACE, mit_intermediate_size=32, mit_num_hidden_layers=1, mit_num_attention_heads=2)


@dataclass(frozen=True)
class TextModel:
    """A model of transformers with two towers.

    Args:
        config: Class of its config.
        kind: Class of the model.
        settings: Arguments of the config.
        processor: Class of its processor of pixels.
        seen: Arguments of the processor.
        tokens: Arguments of a call of its tokenizer, as its authors call it.
        image: Whether it takes frames, not clips.
        pixels: Name of the argument of its pixels.
    """

    config: str
    kind: str
    settings: dict
    processor: str
    seen: dict
    tokens: dict
    image: bool = False
    pixels: str = 'pixel_values'


_FILLED = dict(padding='max_length', max_length=LONGEST, truncation=True)
MODELS = dict(
    clip=TextModel(
        'CLIPConfig', 'CLIPModel',
        dict(vision_config=_IMAGE, text_config=dict(_TEXT, **_ENDS), projection_dim=SPACE),
        'CLIPImageProcessorPil', _CROPPED, dict(padding=True), image=True,
    ),
    siglip=TextModel(
        'SiglipConfig', 'SiglipModel',
        dict(vision_config=dict(_IMAGE, image_size=64), text_config=dict(_TEXT, pad_token_id=0)),
        'SiglipImageProcessorPil', _WHOLE, _FILLED, image=True,
    ),
    xclip=TextModel(
        'XCLIPConfig', 'XCLIPModel',
        dict(
            vision_config=dict(_IMAGE, num_frames=FRAMES, **_MIT), text_config=dict(_TEXT, **_ENDS),
            projection_dim=SPACE, prompt_num_attention_heads=2,
        ),
        'VideoMAEImageProcessorPil', _CROPPED, dict(padding=True),
    ),
    videoprism=TextModel(
        'VideoPrismConfig', 'VideoPrismClipModel',
        dict(
            vision_config=dict(
                image_size=64, num_frames=FRAMES, tubelet_size=[1, 16, 16], hidden_size=WIDTH, num_attention_heads=2,
                intermediate_size=32, num_spatial_layers=2, num_temporal_layers=1, num_auxiliary_layers=1,
            ),
            text_config=_TEXT,
        ),
        'LlavaOnevisionVideoProcessor', dict(do_normalize=False, **_WHOLE), _FILLED, pixels='pixel_values_videos',
    ),
)  # fmt: skip


def _numbered(pieces):
    return {piece: number for number, piece in enumerate(pieces)}


def _tokenizer(name):
    """Return a tokenizer of the model's own kind that knows letters."""
    found = tiny.library()
    if name in ('clip', 'xclip'):
        vocabulary = ['<|startoftext|>', '<|endoftext|>', *LETTERS, *(f'{letter}</w>' for letter in LETTERS)]
        return found.CLIPTokenizer(vocab=_numbered(vocabulary), merges=[])
    if name == 'siglip':
        vocabulary = ['<pad>', '<eos>', '<bos>', '<unk>', '<mask>', '▁', *LETTERS]
        return found.Siglip2Tokenizer(vocab=_numbered(vocabulary), merges=[], padding_side='right')
    vocabulary = ['<pad>', '</s>', '<unk>', '▁', *LETTERS]
    return found.VideoPrismTokenizer(vocab=[(piece, -2.0) for piece in vocabulary], extra_ids=0)


def processor(name):
    """Return the library's own processor of pixels; the test is skipped where it does not import."""
    kind = MODELS[name].processor
    if kind.endswith('VideoProcessor'):
        pytest.importorskip('torchvision', reason=f'{kind} needs torchvision, which is not installed')
    return getattr(tiny.library(), kind)(**MODELS[name].seen)


def write(root, name, seed=0):
    """Write the folder of a tiny model with its tokenizer; return it with the model and the tokenizer themselves.

    Args:
        root: The folder.
        name: A key of ``MODELS``.
        seed: Seed of its weights.
    """
    known, found = MODELS[name], tiny.library()
    torch.manual_seed(seed)
    model = getattr(found, known.kind)(getattr(found, known.config)(**known.settings)).eval()
    for parameter in model.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(root)
    tokenizer = _tokenizer(name)
    tokenizer.save_pretrained(root)
    try:
        processor(name).save_pretrained(root)
    except pytest.skip.Exception:
        told = dict(video_processor_type=known.processor, **known.seen)
        (root / 'video_preprocessor_config.json').write_text(json.dumps(told))
    return SimpleNamespace(folder=root, name=name, model=model, tokenizer=tokenizer, known=known)


@torch.no_grad()
def scores(made, pixels, texts):
    """Return what the library says of a clip ``(T, C, H, W)`` and texts: the scores ``(K,)``.

    Args:
        made: What :func:`write` returned.
        pixels: The clip, as the library's processor has it.
        texts: K texts.
    """
    tokens = made.tokenizer(texts, return_tensors='pt', **made.known.tokens)
    if made.name == 'siglip':  # as its authors call it
        tokens = dict(input_ids=tokens['input_ids'])
    given = {made.known.pixels: pixels if made.known.image else pixels.unsqueeze(0)}
    told = made.model(**given, **tokens)
    if made.name == 'videoprism':  # its own are normalised over the batch
        return (told.video_embeds @ told.text_embeds.T)[0] / 0.01
    return told.logits_per_image.mean(dim=0) if made.known.image else told.logits_per_video[0]
