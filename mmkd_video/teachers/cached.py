"""A teacher that is not run: its answers lie in files."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mmkd_video.core.checked import Optional, Settings, Text, Whole, checked
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.core.replay import SAMPLE_VIEW, Replay
from mmkd_video.teachers.cache import CacheReader
from mmkd_video.teachers.teacher import Probe, Teacher, TeachingStep


@MODELS.register_module()
@checked(
    cache=Text('the folder of a cache'),
    teacher=Optional(Settings('dict(config=..., checkpoint=...)', needs=('config',)), 'the teacher is not compared'),
    clips_per_video=Whole(1),
)
class CachedTeacher(Teacher):
    """The answers that another teacher gave once, about a fixed number of augmentations of each training sample.

    It sees no clips. ReproducibleHook draws the student's samples as they were drawn when the cache was made: the view
    of a sample is the number of the epoch modulo the number of views. Answers are kept in half precision and given in
    float32.

    Args:
        cache: Folder of the cache; nothing in it is executed.
        teacher: ``dict(config=, checkpoint=)`` of the teacher whose answers are expected. It is built and compared.
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
        if teacher is not None:
            self._expect_answers_of(teacher)

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
        found = self._reader.read(step.indices.tolist(), views, self._taps)
        return {tap: found[tap].to(step.clips.device, non_blocking=True) for tap in self._taps}

    def _expect_answers_of(self, teacher: Mapping) -> None:
        live = MODELS.build({'type': 'FrozenTeacher', **teacher, 'name': f'{self.name}.teacher'})
        if live.fingerprint != self.fingerprint:
            raise WrongValueError(
                f'{self.name}.cache: {self.cache!r} holds answers of another teacher (fingerprint {self.fingerprint}) '
                f'than {teacher.get("config")!r:.80} with {teacher.get("checkpoint")!r} ({live.fingerprint}); name the '
                'teacher that it was made with, or make a new cache'
            )
