"""A frozen encoder with a trained probe as teacher."""

from collections.abc import Iterable
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from mmkd_video.core.checked import Text, checked
from mmkd_video.core.files.digest import sha256_of_settings
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.input_form import Inputs, one_of
from mmkd_video.recognizers.precision import HALVES
from mmkd_video.recognizers.weights import fingerprint
from mmkd_video.teachers.frozen import FrozenTeacher
from mmkd_video.teachers.probe_file import as_tokens, read_probe

OWN = ('logits', 'pooled')


@MODELS.register_module()
@checked(further=FrozenTeacher, probe=Text('the path of a probe'))
class ProbedTeacher(FrozenTeacher):
    """An encoder without a head for the student's classes, and a probe that ``mmkd probe`` trained on it.

    ``logits`` are the probe's scores, and ``pooled`` is the vector that its linear layer reads; all other taps are the
    encoder's. Whatever the encoder's precision is, the probe computes in float32.

    Args:
        probe: Path of the probe.
        **frozen: Arguments of :class:`FrozenTeacher`; ``classes`` selects from the probe's classes.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, or was trained on another encoder.
    """

    def __init__(self, probe: str, **frozen: Any) -> None:
        name = frozen.get('name', 'teacher')
        self.probe, head = read_probe(probe, f'{name}.probe')
        super().__init__(**frozen)
        found = encoder_hashes(self)
        for mine, its in zip(found, (self.probe.encoder, self.probe.architecture), strict=True):
            if mine and its and mine != its:
                raise WrongValueError(
                    f'{name}.probe: {probe} was trained on another encoder (its hash is {its}, that of config and '
                    f'checkpoint {mine}); name the encoder it was trained on, or train it again with mmkd probe CONFIG'
                )
        self.module.add_module('probe', head.eval().requires_grad_(False))  # it moves and is hashed with the encoder
        self._parts = tuple(self.module.modules())
        self._asked: list[str] = []

    def tap(self, names: Iterable[str]) -> None:
        """Set the taps that will be read.

        Args:
            names: The places.

        Raises:
            KeyError: A name points nowhere.
        """
        self._asked = list(dict.fromkeys(names))
        super().tap([*(name for name in self._asked if name not in OWN), self.probe.tap])

    @torch.no_grad()
    def features(self, inputs: Inputs) -> dict[str, Tensor]:
        """Run the encoder on its view of a batch, and the probe on what it gives.

        Args:
            inputs: Normalised clips, as of :class:`FrozenTeacher`.

        Returns:
            Tap name to feature in canonical layout.
        """
        found = super().features(inputs)
        with torch.autocast(one_of(inputs).device.type, enabled=False):
            pooled = self.module.probe.pool(as_tokens(found[self.probe.tap]))
            scores = self.module.probe.linear(pooled)
        own = dict(pooled=pooled, logits=scores if self.classes is None else scores[:, self.classes])
        return {name: own[name] if name in own else found[name] for name in self._asked}

    def classifier(self) -> tuple[Tensor, Tensor]:
        """Return weight ``(K, C)`` and bias ``(K,)`` of the probe's linear layer, on the student's classes."""
        linear = self.module.probe.linear
        rows = slice(None) if self.classes is None else self.classes
        return linear.weight[rows], linear.bias[rows]

    @torch.no_grad()
    def predict(self, data: dict) -> Tensor:
        """Return class probabilities for a batch of the encoder's own pipeline.

        Args:
            data: Collated batch with ``inputs`` and ``data_samples``.

        Returns:
            ``(N, K)`` on the student's classes, averaged over clips and crops, rows summing to 1.
        """
        asked, taps = self._asked, self._taps
        data = self.data_preprocessor(data, False)
        try:
            self.tap(['logits'])
            scores = self.features(data['inputs'])['logits']
        finally:
            self._asked, self._taps = asked, taps
        return scores.softmax(dim=-1).unflatten(0, (len(data['data_samples']), -1)).mean(dim=1)

    def _outputs(self) -> int:
        return len(self.probe.classes)

    def _naming_config(self) -> Config:
        return Config(dict(classes=list(self.probe.classes)))


def encoder_hashes(teacher: FrozenTeacher) -> tuple[str, str]:
    """Return hashes of an encoder: one of weights and architecture, empty in half precision; and of the latter alone.

    Args:
        teacher: The encoder as teacher, without a probe.
    """
    whole = '' if teacher.precision in HALVES else fingerprint(teacher.module, {'model': teacher.model_config})
    return whole, sha256_of_settings(teacher.model_config)[:16]
