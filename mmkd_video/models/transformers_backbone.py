"""A model of Hugging Face transformers as the backbone of a recognizer."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from mmkd_video.core.checked import OneOf, Settings, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.models.outlet import Outlet
from mmkd_video.models.transformers_loading import explaining, load_part, transformers_library
from mmkd_video.recognizers.libraries.model_folder import ModelFolder
from mmkd_video.recognizers.libraries.token_grid import to_map
from mmkd_video.recognizers.libraries.transformers_families import FAMILIES


@MODELS.register_module()
@checked(
    family=OneOf(*FAMILIES),
    settings=Settings("the model's settings, as in its config.json, such as dict(hidden_size=768)"),
)
class TransformersBackbone(nn.Module):
    """A model of transformers without its last linear layer, which is ``TransformersHead``'s.

    The weights are random until :meth:`load_pretrained`. Places of it that taps can read, in canonical layout:
    ``last_hidden_state`` and ``hidden_states[i]`` are maps ``(N, C, T, H, W)`` of the tokens of patches;
    ``class_token`` is ``(N, C)``, the first of the other tokens; ``attentions[i]`` is ``(N, L, L)``, of all tokens, the
    mean over heads; ``attention_map`` is ``(N, 1, T, H, W)``, how much of the last layer's attention each patch gets
    from the class token, or, of a model without one, on average from all tokens.

    Args:
        family: Type of model, as ``model_type`` in its ``config.json``.
        settings: Its settings; only the known ones of a family.
        classifies: Whether it was trained as a classifier, and has what stands before the last layer.

    Raises:
        ImportError: transformers is not installed.
        ValueError: A setting that transformers does not take.
    """

    def __init__(self, family: str, settings: Mapping[str, Any], classifies: bool = True) -> None:
        super().__init__()
        self.family, self.settings, self.classifies = FAMILIES[family], dict(settings), classifies
        for name in settings:
            if name not in self.family.settings:
                known = ', '.join(self.family.settings)
                raise WrongValueError(f'TransformersBackbone.settings: got the key {name!r}; expected some of {known}')
        self._last: Tensor | None = None
        with explaining('these settings', self.family.config):
            kind = getattr(transformers_library(), self._kind())
            self._take(kind._from_config(self._config(), **self._arguments()))
        self.last_hidden_state, self.class_token = Outlet(), Outlet()
        self.hidden_states, self.attentions, self.attention_map = Outlet(), Outlet(), Outlet()

    def load_pretrained(self, path: str, head: nn.Module) -> None:
        """Load the weights of a folder, completely or not at all.

        Args:
            path: The folder; its weights are safetensors. All are taken as float32.
            head: The recognizer's head, which gets the last layer.

        Raises:
            FileNotFoundError: There are no weights.
            ValueError: They are damaged, unsafe, or not of this model.
        """
        tensors = ModelFolder(path, 'teacher.config').tensors()
        model = self._load(tensors, path, getattr(head.fc_cls, 'out_features', None))
        classifier = self._take(model)
        if classifier is not None:
            head.fc_cls.load_state_dict(classifier.state_dict())

    def forward(self, clips: Tensor) -> Tensor:
        """Return one vector for each clip: what the classifier reads, or the encoder's pooled tokens.

        Args:
            clips: ``(N, C, T, H, W)``, normalised.

        Returns:
            ``(N, C')``.
        """
        vectors, _ = self._run(clips)
        return self._average(vectors, len(clips))

    def _run(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Return a vector for each clip or frame, and the encoder's last tokens."""
        count, _, *size = clips.shape
        frames = clips.transpose(1, 2)
        found = self.net(
            **{self.family.input_name: frames.flatten(0, 1) if self.family.folds_frames else frames},
            **({} if self.classifies else self.family.call),
            output_hidden_states=self.hidden_states.wanted,
            output_attentions=self._with_attentions(),
            return_dict=True,
        )
        last, self._last = self._last, None
        self._let_out(found, last, size, count)
        vectors = found.logits if self.classifies else self._pool(found, last)
        return vectors.flatten(1), last  # VideoPrism's have a second dimension of one query

    def _average(self, vectors: Tensor, clips: int) -> Tensor:
        """Average the vectors of frames over each clip."""
        return vectors.unflatten(0, (clips, -1)).mean(dim=1) if self.family.folds_frames else vectors

    def _let_out(self, found: Any, last: Tensor, size: list[int], clips: int) -> None:
        """Hand what taps read to the places where they stand."""

        def laid_out(tokens: Tensor) -> Tensor:
            return to_map(tokens, self.family, self.settings, size, clips)

        if self.last_hidden_state.wanted:
            self.last_hidden_state(laid_out(last))
        if self.class_token.wanted:
            if not self.family.leading(self.settings):
                raise WrongValueError(f"tap 'class_token': {self.family.encoder} has no such token; use 'pooled'")
            self.class_token(last[:, 0].unflatten(0, (clips, -1)).mean(dim=1))
        if self.hidden_states.wanted:
            self.hidden_states(tuple(map(laid_out, found.hidden_states)))
        if self.attentions.wanted:
            each = (weights.mean(dim=1) for weights in found.attentions)
            self.attentions(tuple(weights.unflatten(0, (clips, -1)).flatten(1, 2) for weights in each))
        if self.attention_map.wanted:
            weights = found.attentions[-1].mean(dim=1)
            asking = weights[:, 0] if self.family.leading(self.settings) else weights.mean(dim=1)
            self.attention_map(laid_out(asking[..., None]))

    def _pool(self, found: Any, last: Tensor) -> Tensor:
        if self.family.pooled == 'pooler' and found.pooler_output is not None:
            return found.pooler_output
        return last[:, 0] if self.family.pooled == 'first' else last.mean(dim=1)

    def _with_attentions(self) -> bool:
        """Return whether attention weights are asked for; only the plain implementation has any."""
        wanted = self.attentions.wanted or self.attention_map.wanted
        if wanted and self.net.config._attn_implementation != 'eager':
            self.net.set_attn_implementation('eager')
        return wanted

    def _take(self, model: nn.Module) -> nn.Module | None:
        """Take a model without its last layer, which is returned."""
        classifier = None
        if self.classifies:
            classifier, model.classifier = model.classifier, nn.Identity()
        encoder = getattr(model, model.base_model_prefix) if self.classifies else model
        for name in self.family.unused:
            setattr(encoder, name, nn.Identity())
        encoder.register_forward_hook(self._keep)
        self.net = model
        return classifier

    def _keep(self, _module: nn.Module, _inputs: tuple, output: Any) -> None:
        self._last = output.last_hidden_state

    def _load(self, tensors: Mapping[str, Tensor], path: str, classes: int | None = None) -> nn.Module:
        return load_part(self._kind(), self._config(classes), tensors, self.family.prefix, path, **self._arguments())

    def _kind(self) -> str:
        return self.family.classifier if self.classifies else self.family.encoder

    def _config(self, classes: int | None = None) -> Any:
        labels = {} if classes is None else dict(num_labels=classes)
        return getattr(transformers_library(), self.family.config)(**self.settings, **labels)

    def _arguments(self) -> Mapping[str, Any]:
        return {} if self.classifies else self.family.encoder_arguments
