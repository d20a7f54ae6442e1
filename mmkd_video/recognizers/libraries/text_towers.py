"""The models of Hugging Face transformers whose text tower makes class names a classifier: all that differs in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmkd_video.core.plain_data import FLAG, Maybe, Number, OneOf, Rule, Whole
from mmkd_video.recognizers.libraries.transformers_families import ACTIVATIONS

_SHARE, _WIDTH, _TOKEN = Number(0, 1), Whole(1, 1 << 14), Maybe(Whole(0, 1 << 24))
_TEXT: Mapping[str, Rule] = dict(
    vocab_size=Whole(1, 1 << 20),
    hidden_size=_WIDTH,
    intermediate_size=Whole(1, 1 << 17),
    num_hidden_layers=Whole(1, 1 << 8),
    num_attention_heads=Whole(1, 1 << 8),
    max_position_embeddings=Whole(2, 1 << 12),
    hidden_act=OneOf(ACTIVATIONS),
    layer_norm_eps=_SHARE,
    pad_token_id=_TOKEN,
    bos_token_id=_TOKEN,
    eos_token_id=_TOKEN,
)
_CLIP_TEXT = {**_TEXT, 'attention_dropout': _SHARE}


@dataclass(frozen=True)
class TextTower:
    """Facts about one type of model that compares images or videos with texts.

    Args:
        config: Name of the class of its text tower's config.
        model: Name of the class of its text tower.
        settings: Keys of that config that count, and what they may be.
        longest: Number of tokens that it takes where its config does not say.
        vocabulary: Number of its tokens where its config does not say.
        width: Length of a text's vector where its config does not say.
        whole: Keys of the config around it that count.
        backbone: Name of our class of backbones for it.
        prefix: Beginning of the names of its weights.
        projects: Whether ``visual_projection`` and ``text_projection`` lead to the common space; else both towers
            end in it.
        pads: Whether each text is filled up to the longest that it takes, as it was in its training.
        masks: Whether it is told which tokens are padding.
        small: Whether it only knows small letters.
        temperature: Number that cosines are divided by where its weights hold none; None where they do.
        templates: Sentences that a class name is put in where the user gives none; None for the default ensemble.
    """

    config: str
    model: str
    settings: Mapping[str, Rule]
    longest: int
    vocabulary: int
    width: int
    whole: Mapping[str, Rule] = field(default_factory=dict)
    backbone: str = 'ZeroShotBackbone'
    prefix: str = 'text_model.'
    projects: bool = False
    pads: bool = False
    masks: bool = True
    small: bool = False
    temperature: float | None = None
    templates: tuple[str, ...] | None = None

    def space_of(self, vision: Mapping[str, Any], whole: Mapping[str, Any]) -> int:
        """Return the number of dimensions of the common space.

        Args:
            vision: Settings of the vision tower.
            whole: Settings of the config around both.
        """
        return whole.get('projection_dim', 512) if self.projects else vision['hidden_size']


TEXT_TOWERS = dict(
    clip=TextTower(
        'CLIPTextConfig',
        'CLIPTextModel',
        _CLIP_TEXT,
        longest=77,
        vocabulary=49408,
        width=512,
        whole=dict(projection_dim=_WIDTH),
        projects=True,
    ),
    siglip=TextTower(
        'SiglipTextConfig',
        'SiglipTextModel',
        {**_CLIP_TEXT, 'projection_size': Maybe(_WIDTH)},
        longest=64,
        vocabulary=32000,
        width=768,
        pads=True,
        masks=False,
        small=True,
    ),
    xclip=TextTower(
        'XCLIPTextConfig',
        'XCLIPTextModel',
        _CLIP_TEXT,
        longest=77,
        vocabulary=49408,
        width=512,
        whole=dict(
            projection_dim=_WIDTH,
            prompt_layers=Whole(1, 64),
            prompt_alpha=Number(-1e6, 1e6),
            prompt_hidden_act=OneOf(ACTIVATIONS),
            prompt_num_attention_heads=Whole(1, 1 << 8),
            prompt_attention_dropout=_SHARE,
            prompt_projection_dropout=_SHARE,
        ),
        backbone='VideoPromptBackbone',
        projects=True,
        templates=('{}',),  # its prompts come from the video
    ),
    videoprism=TextTower(
        'VideoPrismTextConfig',
        'VideoPrismTextModel',
        {
            **_TEXT,
            'apply_l2norm': FLAG,
            'qkv_bias': FLAG,
            'attention_probs_dropout_prob': _SHARE,
            'hidden_dropout_prob': _SHARE,
            'attn_logit_softcapping': Number(0, 1e6),
        },
        longest=64,
        vocabulary=32000,
        width=768,
        pads=True,
        temperature=0.01,
        templates=('a video of {}.',),
    ),
)
