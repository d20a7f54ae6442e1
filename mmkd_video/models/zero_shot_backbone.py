"""The vision tower of a model that compares images or videos with texts; its text tower makes the last layer, once."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import ListOf, OneOf, Settings, Text, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.models.transformers_backbone import TransformersBackbone
from mmkd_video.models.transformers_loading import explaining, load_own, load_part, transformers_library
from mmkd_video.recognizers.class_prompts import fill
from mmkd_video.recognizers.libraries.model_folder import ModelFolder
from mmkd_video.recognizers.libraries.text_tokens import TextTokenizer, TokenRules
from mmkd_video.recognizers.libraries.text_towers import TEXT_TOWERS

TEXTS_AT_ONCE = 64


@MODELS.register_module()
@checked(
    family=OneOf(*TEXT_TOWERS),
    settings=Settings('a dict of settings of the vision tower'),
    text=Settings('a dict of settings of the text tower'),
    whole=Settings('a dict of settings around both'),
    classes=ListOf(Text('a name')),
    templates=ListOf(Text("a sentence, 'a video of {}.'"), least=1),
)
class ZeroShotBackbone(TransformersBackbone):
    """A vision tower that ends in the space it shares with texts (CLIP https://arxiv.org/abs/2103.00020; SigLIP
    https://arxiv.org/abs/2303.15343; VideoPrism https://arxiv.org/abs/2402.13217).

    It gives a vector of length 1 for each clip; of images, the mean of those of the frames. The text tower exists only
    in :meth:`load_pretrained`: the vectors of the class names become the weights of the head's linear layer, scaled
    and shifted as the model scales and shifts its cosines. So the scores of a clip are what the library says of it,
    the mean over frames; with several templates the mean of their vectors stands for a class, at length 1. VideoPrism's
    own scores are normalised over the videos of a batch; here they are cosines, over 0.01 as its authors' code has it.

    Args:
        family: Type of model, as ``model_type`` in its ``config.json``.
        settings: Settings of its vision tower; only the known ones.
        text: Settings of its text tower.
        whole: Settings around both.
        classes: Names of K classes.
        templates: M sentences that each name is put in.

    Raises:
        ImportError: transformers is not installed.
        ValueError: A setting that transformers does not take, or no names.
    """

    def __init__(
        self,
        family: str,
        settings: Mapping[str, Any],
        text: Mapping[str, Any],
        whole: Mapping[str, Any],
        classes: Sequence[str],
        templates: Sequence[str],
    ) -> None:
        super().__init__(family, settings, classifies=False)
        self.tower, self.text, self.whole = TEXT_TOWERS[family], dict(text), dict(whole)
        self.classes, self.templates = list(classes), list(templates)
        if not self.classes:
            raise WrongValueError(
                'teacher.config.zero_shot: nothing tells the names of the classes; expected classes=<names, or a file '
                "of them>, or tools/train.py, which fills in the student's"
            )
        if self.tower.projects:
            space = self.tower.space_of(settings, whole)
            self.visual_projection = nn.Linear(settings['hidden_size'], space, bias=False)

    def load_pretrained(self, path: str, head: nn.Module) -> None:
        """Load the weights of a folder, completely or not at all, and make the head's from the names of the classes.

        Args:
            path: The folder; its weights are safetensors. All are taken as float32.
            head: The recognizer's head.

        Raises:
            FileNotFoundError: There are no weights, or no tokenizer.
            ValueError: They are damaged, unsafe, or not of this model.
        """
        folder = ModelFolder(path, 'teacher.config')
        tensors = folder.tensors()
        self._take(self._load(tensors, path))
        self._load_around(tensors, path)
        vectors = self._encode_names(folder, tensors)
        scale, bias = self._scale_of(tensors, path)
        origin = _digest(tensors, (self.tower.prefix, 'text_projection.', 'logit_'))
        self._put_texts(head, vectors, scale, bias, origin)

    def forward(self, clips: Tensor) -> Tensor:
        """Return one vector for each clip.

        Args:
            clips: ``(N, C, T, H, W)``, normalised.

        Returns:
            ``(N, C')``, of length 1, or at most that of a model of images.
        """
        vectors, _ = self._run(clips)
        return self._average(nn.functional.normalize(self._project(vectors), dim=-1), len(clips))

    def _project(self, vectors: Tensor) -> Tensor:
        return self.visual_projection(vectors) if self.tower.projects else vectors

    def _load_around(self, tensors: Mapping[str, Tensor], path: str) -> None:
        """Load what stands after the vision tower."""
        if self.tower.projects:
            load_own(self.visual_projection, tensors, 'visual_projection.', path)

    @torch.no_grad()
    def _encode_names(self, folder: ModelFolder, tensors: Mapping[str, Tensor]) -> Tensor:
        """Return the vector of each template of each name, ``(K, M, C)``; the text tower is built for this alone."""
        path = str(folder.path)
        with explaining('these settings', self.tower.config):
            config = getattr(transformers_library(), self.tower.config)(**self.text)
        longest, vocabulary = config.max_position_embeddings, config.vocab_size
        read = TextTokenizer(folder, TokenRules(longest, vocabulary, self.tower.pads, self.tower.small))
        model = load_part(self.tower.model, config, tensors, self.tower.prefix, path).eval()
        texts, found = fill(self.classes, self.templates), []
        for begin in range(0, len(texts), TEXTS_AT_ONCE):
            tokens, mask = read(texts[begin : begin + TEXTS_AT_ONCE])
            given = dict(attention_mask=mask) if self.tower.masks else {}
            with explaining('the names of the classes', self.tower.config):
                found.append(model(input_ids=tokens, return_dict=True, **given).pooler_output)
        vectors = torch.cat(found)
        if self.tower.projects:
            space = self.tower.space_of(self.settings, self.whole)
            projection = nn.Linear(vectors.shape[-1], space, bias=False)
            load_own(projection, tensors, 'text_projection.', path)
            vectors = projection(vectors)
        return vectors.unflatten(0, (len(self.classes), len(self.templates)))

    def _scale_of(self, tensors: Mapping[str, Tensor], path: str) -> tuple[Tensor, Tensor]:
        """Return what cosines are multiplied by, and what is added to them; 0-d."""
        if self.tower.temperature is not None:
            return torch.tensor(1 / self.tower.temperature), torch.tensor(0.0)
        scale, bias = tensors.get('logit_scale'), tensors.get('logit_bias', torch.zeros(()))
        if scale is None or scale.numel() != 1 or bias.numel() != 1 or not scale.float().exp().isfinite().all():
            raise WrongValueError(
                f'teacher.config: the weights in {path} have no logit_scale, or one that is no number; expected those '
                'of a model that compares with texts; copy both towers from the same place'
            )
        return scale.float().exp().squeeze(), bias.float().squeeze()

    @torch.no_grad()
    def _put_texts(self, head: nn.Module, vectors: Tensor, scale: Tensor, bias: Tensor, origin: str) -> None:
        """Make the classifier from the vectors of the names."""
        texts = of_templates(vectors)
        if texts.shape != head.fc_cls.weight.shape:
            raise WrongValueError(
                f'teacher.config: got texts in {texts.shape[-1]} dimensions and images in '
                f'{head.fc_cls.weight.shape[-1]}; expected one space; copy both towers from the same place'
            )
        head.fc_cls.weight.copy_(scale * texts)
        head.fc_cls.bias.copy_(bias.expand_as(head.fc_cls.bias))
        head.fc_cls.made_of = origin


def of_templates(vectors: Tensor) -> Tensor:
    """Return the mean direction of the templates of each class.

    Args:
        vectors: ``(..., M, C)``.

    Returns:
        ``(..., C)``, of length 1.
    """
    each = nn.functional.normalize(vectors, dim=-1)
    return nn.functional.normalize(each.mean(dim=-2), dim=-1)


def _digest(tensors: Mapping[str, Tensor], prefixes: tuple[str, ...]) -> str:
    """Return a hash of the weights that texts pass through: the same on every machine, whatever their rounding is."""
    digest = hashlib.sha256()
    for name in sorted(each for each in tensors if each.startswith(prefixes)):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
