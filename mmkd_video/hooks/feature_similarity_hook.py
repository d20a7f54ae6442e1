"""How alike the features of student and teacher are, at every validation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import get_dist_info
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner.base_loop import BaseLoop
from torch import Tensor
from torch.utils.data import DataLoader

from mmkd_video.core.checked import AnyOf, ListOf, Optional, Settings, Text, Whole, checked
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import HOOKS
from mmkd_video.core.restoring import random_state_restored
from mmkd_video.evaluation import LEAST_SAMPLES, MinibatchCKA, centred_gram, name_of_pair
from mmkd_video.evaluation.teacher_predictions import with_pipeline
from mmkd_video.hooks.model_contract import HasStudent, ability_of, parts_of_teachers
from mmkd_video.recognizers.pipelines import validation_pipeline
from mmkd_video.taps import FeatureReader, parse_pair

_TAP = Text("a tap such as 'backbone.layer4'")
_PAIR = AnyOf(_TAP, ListOf(_TAP, length=2), Settings('dict(student=..., teacher=...)', needs=('student', 'teacher')))
Grams = list[dict[str, Tensor]]


@dataclass
class _Compared:
    """A teacher, and what is kept of it.

    Attributes:
        part: The teacher.
        reader: Reader of its features.
        grams: Products of its features in each batch of this rank, by loop and tap.
    """

    part: Any
    reader: FeatureReader
    grams: dict[str, Grams] = field(default_factory=dict)


@HOOKS.register_module()
@checked(
    taps=ListOf(_PAIR, least=1, example="a list such as ['pooled', ('backbone.conv2', 'backbone.layer4')]"),
    teacher=Optional(Text('the name of a teacher'), 'the only one'),
    clips=Whole(LEAST_SAMPLES),
    batch_size=Whole(LEAST_SAMPLES),
)
class FeatureSimilarityHook(Hook):
    """Report linear centered kernel alignment of student and teacher at some places, beside accuracy and agreement.

    ``cka/<tap>`` is 1 where the two features differ by a rotation and a scale, about 0 where they have nothing in
    common; see :class:`~mmkd_video.evaluation.MinibatchCKA`. Both models predict the same clips, each through its own
    validation pipeline. The clips and their batches are drawn once, the same for every number of ranks. Of a teacher
    that stands still the products of its features are kept: it runs before the first report only.

    Args:
        taps: Places: a tap of both, or a pair ``(student, teacher)``.
        teacher: Name of the teacher, or of a member of an ensemble; the only one by default.
        clips: Largest number of clips that are looked at.
        batch_size: Number of clips that are compared with each other.

    Raises:
        ValueError: A setting is malformed.
    """

    priority = 'HIGHEST'  # its numbers join the metrics before others read them, and averaged weights are swapped back

    def __init__(self, taps: Sequence, teacher: str | None = None, clips: int = 256, batch_size: int = 32) -> None:
        self.pairs = [parse_pair(f'FeatureSimilarityHook.taps[{index}]', at) for index, at in enumerate(taps)]
        self.teacher, self.clips, self.batch_size = teacher, clips, batch_size
        self._student: FeatureReader | None = None
        self._compared: _Compared | None = None

    def before_run(self, runner: Runner) -> None:
        """Find the places in both models.

        Raises:
            KeyError: There is no such teacher, or a tap points nowhere.
            ValueError: The model does not distil, or the teacher is one that does not run.
        """
        model, parts = ability_of(runner.model, HasStudent), parts_of_teachers(runner.model)
        if model is None or not parts:
            raise WrongValueError('FeatureSimilarityHook: got a model without a teacher; expected a Distiller')
        name = next(iter(parts)) if self.teacher is None and len(parts) == 1 else self.teacher
        if name not in parts:
            raise WrongKeyError(f'FeatureSimilarityHook.teacher: got {name!r}; expected one of {", ".join(parts)}')
        module = getattr(parts[name], 'module', None)
        if module is None:
            raise WrongValueError(
                f'FeatureSimilarityHook.teacher: {name!r} is a {type(parts[name]).__name__}, whose features '
                'cannot be read in validation; expected a FrozenTeacher or an EMATeacher'
            )
        self._student = FeatureReader(model.student, [pair[0] for pair in self.pairs], 'student')
        self._compared = _Compared(parts[name], FeatureReader(module, [pair[1] for pair in self.pairs], name))

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add the alignments to the metrics of a validation.

        Raises:
            ValueError: The teacher has no validation pipeline, or there are too few clips.
        """
        metrics.update(self._measure('val', runner.val_loop))

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add the alignments to the metrics of a test.

        Raises:
            ValueError: The teacher has no validation pipeline, or there are too few clips.
        """
        metrics.update(self._measure('test', runner.test_loop))

    def _measure(self, name: str, loop: BaseLoop) -> dict[str, float]:
        dataset, workers = loop.dataloader.dataset, loop.dataloader.num_workers
        batches = self._batches(len(dataset))
        with random_state_restored(), torch.no_grad():
            theirs = self._compared.grams.get(name)
            if theirs is None:
                seen = self._as_the_teacher_sees(dataset)
                theirs = list(_grams(self._compared.reader, seen, batches, workers))
                if not self._compared.part.learns:
                    self._compared.grams[name] = theirs
            alignment = MinibatchCKA(len(self.pairs))
            for ours, kept in zip(_grams(self._student, dataset, batches, workers), theirs, strict=True):
                for index, (student, teacher) in enumerate(self.pairs):
                    alignment.add(index, ours[student], kept[teacher])
        prefix = 'cka' if self.teacher is None else f'cka/{self.teacher}'
        values = zip(self.pairs, alignment.values(), strict=True)
        return {f'{prefix}/{name_of_pair(pair)}': value for pair, value in values}

    def _batches(self, samples: int) -> list[list[int]]:
        """Return the samples of each batch of this rank; a last batch that is too small is left out."""
        order = torch.randperm(samples, generator=torch.Generator().manual_seed(0))[: self.clips].tolist()
        batches = [order[first : first + self.batch_size] for first in range(0, len(order), self.batch_size)]
        batches = [batch for batch in batches if len(batch) >= LEAST_SAMPLES]
        if not batches:
            raise WrongValueError(
                f'FeatureSimilarityHook: got a data set of {samples} samples; expected at least {LEAST_SAMPLES}, below '
                'which features cannot be compared'
            )
        rank, world_size = get_dist_info()
        return batches[rank::world_size]

    def _as_the_teacher_sees(self, dataset: Any) -> Any:
        part = self._compared.part
        pipeline = validation_pipeline(part.config)
        if pipeline is not None:
            return with_pipeline(dataset, pipeline)
        if part.copies:  # of the student, which see what it sees
            return dataset
        raise WrongValueError(
            f'FeatureSimilarityHook: {part.name} has no val pipeline (it is given as a model dict); give it a whole '
            'config: teacher=dict(config=<path>, ...)'
        )


def _grams(
    reader: FeatureReader, dataset: Any, batches: Sequence[Sequence[int]], workers: int
) -> Iterator[Mapping[str, Tensor]]:
    for batch in DataLoader(dataset, batch_sampler=batches, num_workers=workers, collate_fn=pseudo_collate):
        yield {tap: centred_gram(rows).cpu() for tap, rows in reader.read(batch).items()}
