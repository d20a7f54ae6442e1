"""A student that teaches itself: its end teaches its beginning."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmkd_video.core.checked import ListOf, Number, Text, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.functional import kd
from mmkd_video.teachers.exits import Exit
from mmkd_video.teachers.teacher import Probe, Teacher, TeachingStep

LOGITS, POOLED = 'logits', 'pooled'
REDUCTION = 4  # of an exit's bottleneck


@MODELS.register_module()
@checked(
    exits=ListOf(Text("a place of the student, such as 'backbone.layer1'"), least=1),
    temperature=Number(0, above=True),
    alpha=Number(0, 1),
    feature_weight=Number(0),
)
class SelfTeacher(Teacher):
    """The student as its own teacher, through exits at shallow places: Zhang et al., Be Your Own Teacher (ICCV 2019).

    https://arxiv.org/abs/1905.08094. Each exit, a bottleneck and a classifier, learns from the labels, from the
    student's class scores, and, with ``feature_weight``, to give the vector that the student classifies: ``(1 - alpha)
    * cross_entropy + alpha * temperature**2 * KL + feature_weight * mean square``. Scores and vector of the student
    have no gradient there; the exits' losses reach the student where the exits read it. Summed over exits. The exits
    lie in the training state: in checkpoints, in DDP and in the optimizer at the base learning rate, and in nothing
    that is tested or exported.

    Terms are not needed. Those that there are read the student's own features, without a gradient:
    ``at=('backbone.layer2', 'backbone.layer4')`` lets the end teach the middle.

    Args:
        exits: Places of the student, shallow to deep.
        temperature: Number above 0 that softens both class distributions.
        alpha: Share of the student's scores in what an exit learns, the rest is the labels'.
        feature_weight: Weight of the distance between an exit's vector and the student's.
        name: Its name in terms and messages.

    Raises:
        KeyError: A place that the student does not have.
        ValueError: A setting is out of range, or no exit can be built at a place.
    """

    view = None
    is_student = True
    learns = True
    needs_term = False

    def __init__(
        self,
        exits: Sequence[str],
        temperature: float = 3.0,
        alpha: float = 0.1,
        feature_weight: float = 0.0,
        name: str = 'teacher',
    ) -> None:
        super().__init__(name)
        self.exits = list(dict.fromkeys(exits))
        self.temperature, self.alpha, self.feature_weight = temperature, alpha, feature_weight
        self.student_taps = [*self.exits, LOGITS, POOLED]
        self._read: list[str] = []
        self._hidden: int | None = None  # of the whole student: pruning cuts what is around it
        self._right: dict[str, Tensor] = {}

    def bind(self, taps: Sequence[str], probe: Probe) -> dict[str, Tensor]:
        """Build the exits; after a pruning, those that fit what is left of the student.

        Args:
            taps: Places of the student that terms read.
            probe: The student's features.

        Returns:
            The student's own features there.

        Raises:
            ValueError: No exit can be built at a place.
        """
        width, classes = probe.features[POOLED].shape[1], probe.features[LOGITS].shape[1]
        self._hidden = self._hidden or max(width // REDUCTION, 8)
        built = []
        for tap in self.exits:
            try:
                built.append(Exit(probe.features[tap], self._hidden, width, classes))
            except ValueError as error:
                raise WrongValueError(f'{self.name}.exits: {tap!r}: {error}') from None
        self.state = nn.ModuleList(built)
        self._read = list(dict.fromkeys(taps))
        return {tap: probe.features[tap] for tap in self._read}

    def teach(self, step: TeachingStep) -> dict[str, Tensor]:
        """Return the student's features without a gradient.

        Args:
            step: The batch, with the student's features.
        """
        return {tap: step.student[tap].detach() for tap in self._read}

    def one_label_use(self, read: Sequence[str]) -> str:
        """Return that its exits learn from one distribution."""
        return 'its exits learn from'

    def losses(self, step: TeachingStep, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what the exits learn from labels, from the student's scores and from its vector.

        Args:
            step: The step, with the student's features.
            features: Features that it has taught.
        """
        scores, vector = step.student[LOGITS].detach(), step.student[POOLED].detach()
        task, taught, near = [], [], []
        for tap, exit_ in zip(self.exits, self.state, strict=True):
            given, reduced = exit_(step.student[tap])
            with torch.autocast(given.device.type, enabled=False):
                task.append(_cross_entropy(given.float(), step.labels, step.labelled))
                taught.append(kd(given.float(), scores.float(), self.temperature))
                near.append(F.mse_loss(reduced.float(), vector.float()))
            same = given.detach().argmax(dim=1) == scores.argmax(dim=1)
            self._right[f'exit{len(task)}_agreement'] = same.float().mean()
        found = {
            'task': torch.stack(task).sum() * (1 - self.alpha),
            'kd': torch.stack(taught).sum() * self.alpha,
        }
        if self.feature_weight:
            found['feature'] = torch.stack(near).sum() * self.feature_weight
        return found

    def report(self, step: TeachingStep, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return for each exit the share of clips to which it gives the student's class.

        Args:
            step: The step, with the student's features.
            features: Features that it has taught.
        """
        found, self._right = self._right, {}
        return found


def _cross_entropy(scores: Tensor, labels: Tensor | None, rows: Sequence[int] | None) -> Tensor:
    """Return the mean over clips that have a label; where none has, zero with gradients of zero."""
    if labels is None or (rows is not None and not len(rows)):
        return scores.sum() * 0.0
    if rows is not None:
        scores, labels = scores[list(rows)], labels[list(rows)]
    return F.cross_entropy(scores, labels if labels.ndim == 1 else labels.to(scores))
