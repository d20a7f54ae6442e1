"""The interface of algorithms that learn from episodes."""

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from mmkd_video.core.checked import OneOf
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.datasets import EpisodeShape
from mmkd_video.meta.episode import Episode
from mmkd_video.meta.learner import Learner

STATISTICS = OneOf('batch', 'running')
TERMS = OneOf('outer', 'inner', 'both')


@dataclass(frozen=True)
class Outcome:
    """What an algorithm makes of an episode in training.

    Attributes:
        objective: 0-d; its gradient is the episode's part of the step. Its value may mean nothing.
        logged: Values to log by name, each 0-d; ``loss`` among them is the loss on the queries.
    """

    objective: Tensor
    logged: Mapping[str, Tensor] = field(default_factory=dict)


class MetaAlgorithm(abc.ABC):
    """An algorithm that learns from episodes; registered in ``TASK_UTILS`` and named by ``algorithm=dict(type=...)``.

    Args:
        test_statistics: Statistics of batch norms in a test: ``'running'`` or ``'batch'``, the statistics of
            the clips of a pass, so that queries are judged together.
    """

    needs_head = True
    """Whether the student's classifier is trained, and so has as many classes as an episode."""

    def __init__(self, test_statistics: str) -> None:
        self.test_statistics = test_statistics

    @abc.abstractmethod
    def train(self, learner: Learner, episode: Episode) -> Outcome:
        """Return the objective of one episode.

        Args:
            learner: The student, with its teachers if it has any; in training mode.
            episode: The episode.
        """

    @abc.abstractmethod
    def test(self, learner: Learner, episode: Episode) -> Tensor:
        """Return the class scores of the queries, ``(queries, way)``; the student stays as it is.

        Args:
            learner: The student, in the mode of :meth:`Learner.tested`; gradients are on.
            episode: The episode.
        """

    def check(self, learner: Learner, shape: EpisodeShape) -> None:
        """Check that the student fits the episodes.

        Args:
            learner: The student.
            shape: Shape of the episodes.

        Raises:
            ValueError: Its classifier has another number of classes.
        """
        classes = getattr(getattr(learner.student, 'cls_head', None), 'num_classes', None)
        if (self.needs_head and classes != shape.way) or (learner.has_teacher and (classes or 0) < shape.way):
            raise WrongValueError(
                f'cls_head.num_classes: got {classes}; expected {shape.way}, the classes of an episode '
                f'(batch_sampler.way={shape.way}), for {type(self).__name__}'
            )


def build_algorithm(where: str, config: Mapping) -> MetaAlgorithm:
    """Build an algorithm.

    Args:
        where: Its key, for messages.
        config: ``dict(type='MAML', ...)``.

    Raises:
        KeyError: There is none of this name.
        ValueError: A setting is not valid.
    """
    kind = config['type']
    known = TASK_UTILS.get(kind) if isinstance(kind, str) else kind
    if not (isinstance(known, type) and issubclass(known, MetaAlgorithm)):
        raise WrongValueError(f"{where}.type: got {kind!r}; expected 'MAML', 'Reptile', 'ProtoNet' or one of your own")
    return known(**{key: value for key, value in config.items() if key != 'type'})
