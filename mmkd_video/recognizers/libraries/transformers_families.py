"""The models of Hugging Face transformers that can be recognizers: all that hangs on names of classes and keys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmkd_video.core.plain_data import FLAG, Many, Maybe, Number, OneOf, Rule, Whole

ACTIVATIONS = (
    'gelu', 'gelu_fast', 'gelu_new', 'gelu_python', 'gelu_pytorch_tanh', 'quick_gelu', 'relu', 'selu', 'silu', 'swish',
)  # fmt: skip
_FRAMES, _PIXELS = Whole(1, 1 << 12), Whole(8, 1 << 13)
_SHARE, _SMALL = Number(0, 1), Number(-1e6, 1e6)


@dataclass(frozen=True)
class _Side:
    """A side in pixels: one number, or a list of equal ones."""

    rule: Rule
    length: tuple[int, ...] = (2,)

    def check(self, value: Any, where: str) -> None:
        """See :class:`Rule`."""
        if isinstance(value, list | tuple):
            Many(self.rule, most=max(self.length), fewest=min(self.length)).check(value, where)
        else:
            self.rule.check(value, where)


_LAYERS: Mapping[str, Rule] = dict(
    hidden_size=Whole(1, 1 << 14),
    num_hidden_layers=Whole(1, 1 << 8),
    num_attention_heads=Whole(1, 1 << 8),
    hidden_act=OneOf(ACTIVATIONS),
    layer_norm_eps=_SHARE,
    initializer_range=_SHARE,
)
_MLP: Mapping[str, Rule] = dict(intermediate_size=Whole(1, 1 << 17))
_DROPS: Mapping[str, Rule] = dict(hidden_dropout_prob=_SHARE, attention_probs_dropout_prob=_SHARE)
_PATCHES: Mapping[str, Rule] = dict(
    image_size=_Side(_PIXELS), patch_size=_Side(Whole(1, 1 << 9)), num_channels=OneOf((3,))
)
_VIDEO: Mapping[str, Rule] = dict(image_size=_Side(_PIXELS), num_frames=_FRAMES, num_channels=OneOf((3,)))
_TUBELET = Many(Whole(1, 1 << 9), most=3, fewest=3)


@dataclass(frozen=True)
class TransformersFamily:
    """Facts about one type of model.

    Args:
        name: Its ``model_type``.
        config: Name of the class of its config.
        encoder: Name of the class without a classifier.
        classifier: Name of the class whose ``classifier`` is one linear layer that gives the class scores; None where
            there is none.
        heads: Names of further classes whose encoder is this one's; its other weights are left out.
        settings: Keys of its config that count, and what they may be. All others are left alone.
        pixels: Key of the side of a frame.
        frames: Key of the number of frames; None of an encoder of single frames, whose features are averaged.
        default_frames: Frames where the config says nothing; of an encoder of single frames, how many it sees.
        patch: Function of the settings that returns frames, height and width of a patch.
        input_name: Name of the argument that the pixels are given as: ``(N, T, C, H, W)``, or ``(N*T, C, H, W)``.
        leading: Function of the settings that returns how many tokens stand before those of the patches.
        patch_first: Whether tokens run through time first, then to the next place.
        width: Length of the vector that the classifier reads, in hidden sizes.
        pooled: Rule by which an encoder's tokens become one vector: ``'pooler'``, the model's own; ``'first'``, the
            first token; ``'mean'``, their mean.
        processor: Processor whose settings hold where a folder gives none; see ``transformers_processor``.
        inner: Name of the part of the config that is the encoder's, as ``'vision'``; None where it is all.
        part: Name of the part of the weights that is the encoder's; by default that of the part of the config.
        by_frame: Whether frames are a batch of their own; by default those of an encoder of single frames.
        encoder_arguments: Further arguments of the encoder's constructor.
        call: Further arguments of a forward pass of the encoder.
        unused: Submodules of the encoder that no forward pass runs through.
    """

    name: str
    config: str
    encoder: str
    settings: Mapping[str, Rule]
    classifier: str | None = None
    heads: tuple[str, ...] = ()
    pixels: str = 'image_size'
    frames: str | None = 'num_frames'
    default_frames: int = 16
    patch: Callable[[Mapping], tuple[int, int, int]] = lambda known: _cube(1, known.get('patch_size', 16))
    input_name: str = 'pixel_values'
    leading: Callable[[Mapping], int] = lambda known: 0
    patch_first: bool = False
    width: int = 1
    pooled: str = 'mean'
    processor: str = 'VideoMAEImageProcessor'
    inner: str | None = None
    part: str | None = None
    by_frame: bool | None = None
    encoder_arguments: Mapping[str, Any] = field(default_factory=dict)
    call: Mapping[str, Any] = field(default_factory=dict)
    unused: tuple[str, ...] = ()

    @property
    def folds_frames(self) -> bool:
        """Whether it is given the frames of all clips as one batch of images."""
        return self.frames is None if self.by_frame is None else self.by_frame

    @property
    def prefix(self) -> str:
        """Beginning of the names of its weights in a folder; empty where all are its own."""
        return '' if self.inner is None else f'{self.part or self.inner}_model.'


def _cube(frames: int, patch: int | list[int]) -> tuple[int, int, int]:
    height, width = patch if isinstance(patch, list | tuple) else (patch, patch)
    return frames, height, width


def _one(known: Mapping) -> int:
    return 1


_CLIP_VISION = dict(
    config='CLIPVisionConfig',
    encoder='CLIPVisionModel',
    settings={**_LAYERS, **_MLP, **_PATCHES, 'attention_dropout': _SHARE, 'projection_dim': Whole(1, 1 << 14),
              'initializer_factor': Number(0, 1e6)},
    frames=None,
    default_frames=8,
    patch=lambda known: _cube(1, known.get('patch_size', 32)),
    leading=_one,
    pooled='pooler',
    processor='CLIPImageProcessor',
)  # fmt: skip
_VIDEOPRISM = dict(
    settings={**{key: rule for key, rule in _LAYERS.items() if key != 'num_hidden_layers'}, **_MLP, **_DROPS, **_VIDEO,
              'tubelet_size': _TUBELET, 'qkv_bias': FLAG, 'num_spatial_layers': Whole(1, 1 << 8),
              'num_temporal_layers': Whole(1, 1 << 8), 'num_auxiliary_layers': Whole(0, 1 << 8),
              'attn_logit_softcapping': Number(0, 1e6), 'apply_l2norm': FLAG},
    config='VideoPrismVisionConfig',
    patch=lambda known: tuple(known.get('tubelet_size', (1, 18, 18))),
    input_name='pixel_values_videos',
    processor='LlavaOnevisionVideoProcessor',
)  # fmt: skip
_SIGLIP_VISION = dict(
    config='SiglipVisionConfig',
    encoder='SiglipVisionModel',
    settings={**_LAYERS, **_MLP, **_PATCHES, 'attention_dropout': _SHARE, 'vision_use_head': FLAG},
    frames=None,
    default_frames=8,
    pooled='pooler',
    processor='SiglipImageProcessor',
)
FAMILIES = {
    family.name: family
    for family in (
        TransformersFamily(
            'videomae',
            config='VideoMAEConfig',
            encoder='VideoMAEModel',
            classifier='VideoMAEForVideoClassification',
            heads=('VideoMAEForPreTraining',),
            settings={**_LAYERS, **_MLP, **_DROPS, **_VIDEO, **_PATCHES, 'tubelet_size': Whole(1, 64),
                      'qv_bias': FLAG, 'qkv_bias': FLAG, 'use_mean_pooling': FLAG},
            patch=lambda known: _cube(known.get('tubelet_size', 2), known.get('patch_size', 16)),
        ),
        TransformersFamily(
            'timesformer',
            config='TimesformerConfig',
            encoder='TimesformerModel',
            default_frames=8,
            classifier='TimesformerForVideoClassification',
            settings={**_LAYERS, **_MLP, **_DROPS, **_VIDEO, **_PATCHES, 'qkv_bias': FLAG, 'drop_path_rate': _SHARE,
                      'attention_type': OneOf(('divided_space_time', 'space_only', 'joint_space_time'))},
            leading=_one,
            patch_first=True,
            pooled='first',
            processor='TimesformerVideoProcessor',
        ),
        TransformersFamily(
            'vivit',
            config='VivitConfig',
            encoder='VivitModel',
            default_frames=32,
            classifier='VivitForVideoClassification',
            settings={**_LAYERS, **_MLP, **_DROPS, **_VIDEO, 'tubelet_size': _TUBELET, 'qkv_bias': FLAG},
            patch=lambda known: tuple(known.get('tubelet_size', (2, 16, 16))),
            leading=_one,
            pooled='first',
            processor='VivitImageProcessor',
            encoder_arguments=dict(add_pooling_layer=False),
        ),
        TransformersFamily(
            'vjepa2',
            config='VJEPA2Config',
            encoder='VJEPA2Model',
            classifier='VJEPA2ForVideoClassification',
            settings={**_LAYERS, 'attention_probs_dropout_prob': _SHARE, 'patch_size': _Side(Whole(1, 1 << 9)),
                      'crop_size': _PIXELS, 'frames_per_clip': _FRAMES, 'tubelet_size': Whole(1, 64),
                      'in_chans': OneOf((3,)), 'mlp_ratio': Number(0.01, 64), 'qkv_bias': FLAG,
                      'drop_path_rate': _SHARE, 'attention_dropout': _SHARE, 'num_pooler_layers': Whole(0, 64),
                      'pred_hidden_size': Whole(1, 1 << 14), 'pred_num_attention_heads': Whole(1, 1 << 8),
                      'pred_num_hidden_layers': Whole(1, 1 << 8), 'pred_num_mask_tokens': Whole(1, 1 << 10),
                      'pred_zero_init_mask_tokens': FLAG, 'pred_mlp_ratio': Number(0.01, 64)},
            pixels='crop_size',
            frames='frames_per_clip',
            default_frames=64,
            patch=lambda known: _cube(known.get('tubelet_size', 2), known.get('patch_size', 16)),
            input_name='pixel_values_videos',
            processor='VJEPA2VideoProcessor',
            call=dict(skip_predictor=True),
            unused=('predictor',),
        ),
        TransformersFamily(
            'videoprism_vision_model',
            encoder='VideoPrismVisionModel',
            classifier='VideoPrismForVideoClassification',
            **_VIDEOPRISM,
        ),
        TransformersFamily(
            'videoprism',
            encoder='VideoPrismVideoModel',
            heads=('VideoPrismClipModel',),
            inner='vision',
            part='video',
            pooled='pooler',
            **_VIDEOPRISM,
        ),
        TransformersFamily(
            'xclip',
            heads=('XCLIPModel',),
            inner='vision',
            by_frame=True,
            **{**_CLIP_VISION, 'config': 'XCLIPVisionConfig', 'encoder': 'XCLIPVisionModel', 'frames': 'num_frames',
               'settings': {**_LAYERS, **_MLP, **_PATCHES, 'num_frames': _FRAMES, 'attention_dropout': _SHARE,
                            'drop_path_rate': _SHARE, 'initializer_factor': Number(0, 1e6),
                            'mit_hidden_size': Whole(1, 1 << 14), 'mit_intermediate_size': Whole(1, 1 << 17),
                            'mit_num_hidden_layers': Whole(1, 1 << 8), 'mit_num_attention_heads': Whole(1, 1 << 8)},
               'processor': 'VideoMAEImageProcessor'},
        ),
        TransformersFamily('clip_vision_model', **_CLIP_VISION),
        TransformersFamily('clip', heads=('CLIPModel',), inner='vision', **_CLIP_VISION),
        TransformersFamily('siglip_vision_model', **_SIGLIP_VISION),
        TransformersFamily('siglip', heads=('SiglipModel',), inner='vision', **_SIGLIP_VISION),
        TransformersFamily(
            'dinov2',
            config='Dinov2Config',
            encoder='Dinov2Model',
            classifier='Dinov2ForImageClassification',
            settings={**{key: rule for key, rule in _LAYERS.items()}, **_DROPS, **_PATCHES, 'mlp_ratio': Whole(1, 64),
                      'qkv_bias': FLAG, 'layerscale_value': _SMALL, 'drop_path_rate': _SHARE, 'use_swiglu_ffn': FLAG,
                      'use_mask_token': FLAG},
            frames=None,
            default_frames=8,
            patch=lambda known: _cube(1, known.get('patch_size', 14)),
            leading=_one,
            width=2,
            pooled='pooler',
            processor='BitImageProcessor',
        ),
        TransformersFamily(
            'dinov3_vit',
            config='DINOv3ViTConfig',
            encoder='DINOv3ViTModel',
            settings={**_LAYERS, **_MLP, **_PATCHES, 'attention_dropout': _SHARE, 'rope_theta': Number(1e-6, 1e9),
                      'query_bias': FLAG, 'key_bias': FLAG, 'value_bias': FLAG, 'proj_bias': FLAG, 'mlp_bias': FLAG,
                      'layerscale_value': _SMALL, 'drop_path_rate': _SHARE, 'use_gated_mlp': FLAG,
                      'num_register_tokens': Whole(0, 64), 'pos_embed_shift': Maybe(_SMALL),
                      'pos_embed_jitter': Maybe(_SMALL), 'pos_embed_rescale': Maybe(_SMALL)},
            frames=None,
            default_frames=8,
            leading=lambda known: 1 + known.get('num_register_tokens', 0),
            pooled='pooler',
            processor='DINOv3ViTImageProcessor',
        ),
    )
}  # fmt: skip
