"""A teacher that is not run: its answers lie in files."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import Optional, Settings, Text, Whole, checked
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.core.replay import SAMPLE_VIEW, Replay
from mmkd_video.teachers.cache import CacheReader
from mmkd_video.teachers.teacher import Probe, Teacher, TeachingStep


@MODELS.register_module()
@checked(
    cache=Text('the folder of a cache'),
    teacher=Optional(
        Settings('dict(config=..., checkpoint=...)', needs=('config',)), 'nobody is compared, or asked beside the cache'
    ),
    clips_per_video=Whole(1),
)
class CachedTeacher(Teacher):
    """The answers that another teacher gave once, about a fixed number of augmentations of each training sample.

    It sees no clips. ReproducibleHook draws the student's samples as they were drawn when the cache was made: the view
    of a sample is the number of the epoch modulo the number of views. Answers are kept in half precision and given in
    float32.

    Args:
        cache: Folder of the cache; nothing in it is executed.
        teacher: ``dict(config=, checkpoint=)`` of the teacher whose answers are expected. It is built and compared,
            and asked for what the cache does not hold: predictions for the validation set, its classifier, its norms.
            It takes memory until the first step of a training, and while it predicts.
        clips_per_video: Number of clips, in as many augmentations, that a batch holds of each of its videos, which are
            decoded once for all of them; so many epochs then take each video once. At most the number of augmentations.
        name: Its name in terms and messages.

    Raises:
        FileNotFoundError: There is no cache, or a file of it is missing.
        ValueError: The cache is damaged, was not made to the end, or is another teacher's; or it holds fewer
            augmentations than ``clips_per_video``.
    """

    view = None

    def __init__(
        self, cache: str, teacher: Mapping | None = None, clips_per_video: int = 1, name: str = 'teacher'
    ) -> None:
        super().__init__(name)
        self.cache = cache
        self._reader = CacheReader(cache)
        held = self._reader.manifest
        if clips_per_video > held.views:
            raise WrongValueError(
                f'{name}.clips_per_video: got {clips_per_video}; expected at most {held.views}, the number of '
                f'augmentations in {cache!r}; set it to that, or make a cache with more --views'
            )
        self.replay = Replay(
            seed=held.seed,
            views=held.views,
            samples=held.samples,
            names=held.names,
            pipeline=held.student_pipeline,
            source=f'{name}.cache: {cache!r}',
            clips=clips_per_video,
            same_frames=held.same_frames,
        )
        self._taps: list[str] = []
        self._teacher = None if teacher is None else dict(teacher)
        self._device = torch.device('cpu')
        self._live: Any = None
        self._classifier: tuple[Tensor, Tensor] | None = None
        self._probe: Probe | None = None
        if teacher is not None:
            self._live = self._built()
            self.config = self._live.config

    def __deepcopy__(self, memo: dict) -> 'CachedTeacher':
        """Return the teacher itself: an EMA copy of the student learns from the same one."""
        return self

    @property
    def num_classes(self) -> int | None:
        """Number of classes that it teaches; None where no class scores are kept."""
        return self._reader.manifest.classes if 'logits' in self._reader.manifest.taps else None

    @property
    def fingerprint(self) -> str:
        """Hash of weights and architecture of the teacher that gave the answers."""
        return self._reader.manifest.teacher

    def one_label_use(self, read: Sequence[str]) -> str:
        """Return that a cache of the best classes holds one distribution."""
        return f'{self.cache!r} holds the best classes (--topk) of' if self._reader.manifest.topk else ''

    def bind(self, taps: Sequence[str], probe: Probe) -> dict[str, Tensor]:
        """Set the taps that will be read; the examples are zeros of the shapes that the cache names.

        Args:
            taps: The places.
            probe: The student, which may not blend samples.

        Returns:
            One example of each feature.

        Raises:
            KeyError: The cache has no such tap.
            ValueError: The student's samples are blended.
        """
        blending = getattr(getattr(probe.student, 'data_preprocessor', None), 'blending', None)
        if blending is not None:
            raise WrongValueError(
                f'data_preprocessor.blending: got {type(blending).__name__} beside cached answers of {self.name}, '
                'which are about clips that are not mixed; take blending out, or let the teacher itself run'
            )
        shapes = self._reader.manifest.taps
        lacking = [tap for tap in taps if tap not in shapes and tap != 'logits']
        if lacking:
            raise WrongKeyError(
                f'{self.name}: a term reads {lacking[0]!r}, which {self.cache!r} does not hold; expected one of '
                f'{", ".join(map(repr, shapes))}; or make a new cache with this tap'
            )
        self._probe = probe
        self._taps = [tap for tap in dict.fromkeys(taps) if tap in shapes]
        return {tap: torch.zeros(1, *shapes[tap]) for tap in self._taps}

    def teach(self, step: TeachingStep) -> dict[str, Tensor]:
        """Return the answers to a batch.

        Args:
            step: The batch, whose samples say which they are and how they were augmented.

        Raises:
            ValueError: They do not say so, or the cache has no answer to them.
        """
        views = [sample.metainfo.get(SAMPLE_VIEW) for sample in step.data_samples]
        if step.indices is None or None in views:
            raise WrongValueError(
                f'{self.name}: got a batch whose samples do not say which augmentation they have; expected '
                'ReproducibleHook to draw those of the cache: inherit configs/_base_/mmkd.py, or add '
                "dict(type='ReproducibleHook') to custom_hooks"
            )
        self._live = self._probe = None  # all that is asked of it when a training is built has been asked
        found = self._reader.read(step.indices.tolist(), views, self._taps)
        return {tap: found[tap].to(step.clips.device, non_blocking=True) for tap in self._taps}

    def predict(self, data: dict) -> Tensor:
        """Return class probabilities ``(N, K)`` for a batch of the teacher's own validation pipeline.

        Args:
            data: Collated batch with ``inputs`` and ``data_samples``.

        Raises:
            ValueError: No ``teacher`` is given.
        """
        return self._asked('predictions').predict(data)

    def classifier(self) -> tuple[Tensor, Tensor]:
        """Return weight ``(K, C)`` and bias ``(K,)`` of the teacher's last linear layer, on the student's classes.

        Raises:
            ValueError: No ``teacher`` is given, or its head does not end in one linear layer.
        """
        if self._classifier is None:
            weight, bias = self._asked('linear classifier').classifier()
            self._classifier = weight.detach().clone(), bias.detach().clone()
        return self._classifier

    def classify(self, pooled: Tensor) -> Tensor:
        """Return the scores ``(N, K)`` that the teacher's last linear layer gives a vector.

        Args:
            pooled: ``(N, C)``, what the layer reads; the gradient reaches it.

        Raises:
            ValueError: No ``teacher`` is given, or its layer reads another number of channels.
        """
        weight, bias = self._classifier = tuple(each.to(pooled.device) for each in self.classifier())
        if weight.shape[1] != pooled.shape[1]:
            raise WrongValueError(
                f'{self.name}: a term asks its classifier for the scores of {pooled.shape[1]} channels, but it reads '
                f"{weight.shape[1]}; compare the feature that cls_head.fc_cls reads, such as 'pooled'"
            )
        return nn.functional.linear(pooled, weight.to(pooled.dtype), bias.to(pooled.dtype))

    def norm_before(self, tap: str) -> tuple[Tensor, Tensor]:
        """Return scale and shift ``(C,)`` of the batch norm whose output a tap of the teacher reads.

        Args:
            tap: A tap before an activation, such as ``backbone.layer4:pre``.

        Raises:
            ValueError: No ``teacher`` is given, or no batch norm runs before the tap.
        """
        live = self._asked(f'batch norm before {tap!r}')
        live.bind([tap], self._probe)
        return live.norm_before(tap)

    def apply_to(self, function: Callable[[Tensor], Tensor]) -> None:
        """Move along with the student.

        Args:
            function: Function that ``nn.Module._apply`` applies to every tensor.
        """
        self._device = function(torch.empty(0, device=self._device)).device
        if self._live is not None:
            self._live.apply_to(function)

    def _asked(self, what: str) -> Any:
        """Return the teacher itself, built when it is asked for something the first time since the last step."""
        if self._teacher is None:
            self._cannot(what, 'give it teacher=dict(config=..., checkpoint=...), which is asked for that')
        if self._live is None:
            self._live = self._built()
            self._live.apply_to(lambda tensor: tensor.to(self._device))
        return self._live

    def _built(self) -> Any:
        given = self._teacher
        live = MODELS.build({'type': 'FrozenTeacher', **given, 'name': f'{self.name}.teacher'})
        if live.fingerprint != self.fingerprint:
            raise WrongValueError(
                f'{self.name}.cache: {self.cache!r} holds answers of another teacher (fingerprint {self.fingerprint}) '
                f'than {given.get("config")!r:.80} with {given.get("checkpoint")!r} ({live.fingerprint}); name the '
                'teacher that it was made with, or make a new cache'
            )
        return live
