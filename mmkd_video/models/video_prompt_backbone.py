"""X-CLIP: a video changes the texts that it is compared with."""

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import checked
from mmkd_video.core.optional_packages import import_extra
from mmkd_video.core.registry import MODELS
from mmkd_video.models.transformers_loading import explaining, load_own, transformers_library
from mmkd_video.models.zero_shot_backbone import ZeroShotBackbone, of_templates
from mmkd_video.recognizers.libraries.huggingface import EXTRA


class TextVectors(nn.Module):
    """The vectors of the templates of all classes, before a video changes them.

    Args:
        classes: Number K of classes.
        templates: Number M of templates.
        width: Number C of dimensions.
    """

    def __init__(self, classes: int, templates: int, width: int) -> None:
        super().__init__()
        self.register_buffer('vectors', torch.randn(classes, templates, width))
        self.register_buffer('scale', torch.tensor(math.exp(2.6592)))  # X-CLIP begins its training with this


@MODELS.register_module()
@checked(further=ZeroShotBackbone)
class VideoPromptBackbone(ZeroShotBackbone):
    """X-CLIP (https://arxiv.org/abs/2208.02816): a vector of a clip, and the vectors of all classes as the clip has it.

    What the text tower says of the names is computed once; the module that changes it by what is seen runs with every
    clip, so there is no linear layer that could be kept. Its head is ``VideoTextHead``.

    Args:
        **settings: Arguments of :class:`ZeroShotBackbone`.

    Raises:
        ImportError: transformers is not installed.
        ValueError: A setting that transformers does not take, or no names.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        kinds = import_extra('transformers.models.x_clip.modeling_x_clip', EXTRA)
        with explaining('these settings', 'XCLIPConfig'):
            config = transformers_library().XCLIPConfig(
                vision_config=self.settings, text_config=self.text, **self.whole
            )
            config._attn_implementation = self.net.config._attn_implementation
            between = copy.copy(config.vision_config)
            for name in ('hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads'):
                setattr(between, name, getattr(between, f'mit_{name}'))
            between._attn_implementation = config._attn_implementation
            self.mit = kinds.XCLIPMultiframeIntegrationTransformer(between)
            self.prompts_generator = kinds.XCLIPPromptGenerator(config)
        width, space = self.settings['hidden_size'], self.tower.space_of(self.settings, self.whole)
        self.prompts_visual_layernorm = nn.LayerNorm(width, eps=config.vision_config.layer_norm_eps)
        self.prompts_visual_projection = nn.Parameter(torch.randn(width, space))
        nn.init.normal_(self.mit.position_embedding, std=0.02)
        self.texts = TextVectors(len(self.classes), len(self.templates), space)

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Return a vector for each clip, and those of all classes for this clip.

        Args:
            clips: ``(N, C, T, H, W)``, normalised.

        Returns:
            ``(N, C')`` of length 1, and ``(N, K, C')``, of the length that the model scales cosines by.
        """
        count = len(clips)
        vectors, last = self._run(clips)
        videos = self.mit(self._project(vectors).unflatten(0, (count, -1))).pooler_output
        seen = self.prompts_visual_layernorm(last[:, 1:]) @ self.prompts_visual_projection
        seen = seen.unflatten(0, (count, -1)).mean(dim=1)
        known = self.texts.vectors.flatten(0, 1).expand(count, -1, -1)
        changed = (known + self.prompts_generator(known, seen)).unflatten(1, self.texts.vectors.shape[:2])
        return nn.functional.normalize(videos, dim=-1), of_templates(changed) * self.texts.scale

    def _load_around(self, tensors: Mapping[str, Tensor], path: str) -> None:
        super()._load_around(tensors, path)
        for name in ('mit', 'prompts_generator', 'prompts_visual_layernorm'):
            load_own(getattr(self, name), tensors, f'{name}.', path)
        holder = nn.ParameterDict(dict(prompts_visual_projection=self.prompts_visual_projection))
        load_own(holder, tensors, '', path)

    @torch.no_grad()
    def _put_texts(self, head: nn.Module, vectors: Tensor, scale: Tensor, bias: Tensor, origin: str) -> None:
        self.texts.vectors.copy_(vectors)
        self.texts.scale.copy_(scale)
        self.texts.made_of = origin
