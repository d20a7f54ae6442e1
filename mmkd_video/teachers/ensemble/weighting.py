"""The base of all weightings of an ensemble's members, and their inputs in a step."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import one_hot

from mmkd_video.core.checked import did_you_mean, keys_of
from mmkd_video.core.mistakes import WrongKeyError
from mmkd_video.core.registry import TASK_UTILS


@dataclass(frozen=True)
class MembersStep:
    """The inputs of a weighting of members in one step.

    Attributes:
        scores: ``(M, N, K)`` float32 scores of the members; where members know a part of the classes, 0 at the others.
        targets: ``(N, K)`` labels as probabilities, rows of zeros where there is none; None where no clip has one, and
            in validation.
        student: ``(N, K)`` scores of the student, without gradient; None unless ``student_taps`` asks for them, and in
            validation.
        temperature: Temperature that the ensemble softens with.
    """

    scores: Tensor
    targets: Tensor | None
    student: Tensor | None
    temperature: float

    @property
    def labelled(self) -> Tensor | None:
        """Which clips have a label, ``(N,)``; None where none has."""
        return None if self.targets is None else self.targets.sum(dim=1) > 0


class MemberWeighting:
    """How much each member of an ensemble counts.

    A subclass is registered in ``TASK_UTILS`` and named in a config as ``weighting='<name>'`` or
    ``weighting=dict(type='<name>', ...)`` of a ``TeacherEnsemble``.
    """

    student_taps: Sequence[str] = ()
    """``('logits',)`` for one that looks at the student's scores; the ensemble then runs after the student."""

    subsets: bool = False
    """Whether it can weigh members that know different classes."""

    def weigh(self, step: MembersStep) -> Tensor:
        """Return ``(M, N)`` or ``(M, 1)`` weights, not below 0, with sum 1 over the members.

        Args:
            step: Inputs of this step.
        """
        raise NotImplementedError(f'{type(self).__name__} must say in weigh(step) how much each member counts')

    def fit(self, where: str, members: Sequence[str]) -> None:
        """Check that it fits the members, and take note of them; called when an ensemble is built.

        Args:
            where: Its key, for messages.
            members: Names of the members, in order.

        Raises:
            ValueError: It does not.
        """


def build_member_weighting(config: str | Mapping, where: str) -> MemberWeighting:
    """Build a weighting of members.

    Args:
        config: Its name, or ``dict(type=<name>, ...)``; it is not changed.
        where: Its key, for messages.

    Raises:
        KeyError: There is none of that name, or it has no such argument.
        ValueError: An argument is out of range.
    """
    arguments = {'type': config} if isinstance(config, str) else dict(config)
    kind = arguments.pop('type')
    found = TASK_UTILS.get(kind) if isinstance(kind, str) else kind
    if not (inspect.isclass(found) and issubclass(found, MemberWeighting)):
        known = [
            name
            for name, each in TASK_UTILS.module_dict.items()
            if inspect.isclass(each) and issubclass(each, MemberWeighting)
        ]
        raise WrongKeyError(
            f'{where}: got {kind!r}; expected one of {", ".join(map(repr, known))}'
            f'{"; " + hint if (hint := did_you_mean(kind, known)) else ""}'
        )
    keys_of(found).check(where, arguments)
    return found(**arguments)


def as_targets(labels: Tensor | None, classes: int) -> Tensor | None:
    """Return labels as probabilities.

    Args:
        labels: ``(N,)`` class indices, -1 where there is none; ``(N, K)`` soft labels or labels of several classes,
            rows of zeros where there is none; or None.
        classes: K.

    Returns:
        ``(N, K)`` float32, rows with sum 1, or of zeros where there is no label; None where no clip can have one.
    """
    if labels is None:
        return None
    if labels.ndim == 1:
        return one_hot(labels.clamp(min=0), classes).float() * (labels >= 0).unsqueeze(1)
    return labels.float() / labels.float().sum(dim=1, keepdim=True).clamp(min=1e-12)
