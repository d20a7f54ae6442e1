"""Model-agnostic meta-learning: weights from which a few steps lead to a new task."""

from collections.abc import Mapping

from torch import Tensor

from mmkd_video.core.checked import Flag, Number, Optional, Whole, checked
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.functional import descend
from mmkd_video.meta.algorithm import STATISTICS, TERMS, MetaAlgorithm, Outcome
from mmkd_video.meta.episode import Episode
from mmkd_video.meta.learner import Learner


@TASK_UTILS.register_module()
@checked(
    steps=Whole(1),
    lr=Number(0, above=True),
    second_order=Flag(),
    test_steps=Optional(Whole(0), 'as many as in training'),
    terms=TERMS,
    test_statistics=STATISTICS,
)
class MAML(MetaAlgorithm):
    """Train weights from which a few steps of gradient descent on the support do well on the queries.

    Source: Finn, Abbeel and Levine, ICML 2017 (https://arxiv.org/abs/1703.03400). All trainable parameters of the
    student are adapted. In training every pass normalises by the statistics of its own clips; the running ones are
    moved by the first pass over the support alone, whose parameters are those of the checkpoint. The authors' code has
    no running statistics, and tests as it trains, which is the default here.

    Args:
        steps: Steps on the support in training.
        lr: Learning rate of these steps, plain gradient descent.
        second_order: Whether the gradient of the gradient is computed. If not, it is left out (first-order MAML of
            section 5.2), which costs less memory and time.
        test_steps: Steps on the support in tests.
        terms: Place of a distiller's terms: ``'outer'``, on the queries with the adapted weights;
            ``'inner'``, on the support; ``'both'``. In tests the student has no teacher.
        test_statistics: Statistics of batch norms in tests: ``'batch'``, the clips of each pass, thus all queries of an
            episode together; ``'running'``, so that each query is judged by itself.

    Raises:
        ValueError: A setting is out of its range.
    """

    def __init__(
        self,
        steps: int = 1,
        lr: float = 0.01,
        second_order: bool = True,
        test_steps: int | None = None,
        terms: str = 'outer',
        test_statistics: str = 'batch',
    ) -> None:
        super().__init__(test_statistics)
        self.steps, self.lr, self.second_order, self.terms = steps, lr, second_order, terms
        self.test_steps = steps if test_steps is None else test_steps

    def train(self, learner: Learner, episode: Episode) -> Outcome:
        """See :meth:`MetaAlgorithm.train`.

        Args:
            learner: The student, with its teachers.
            episode: The episode.
        """
        support, query = learner.prepare(episode.support, True), learner.prepare(episode.query, True)
        inner: list[Tensor] = []

        def loss_of(parameters: Mapping[str, Tensor], step: int) -> Tensor:
            given = parameters if step else None  # the first pass moves the running statistics
            found = learner.objective(learner.losses(support, given, self.terms != 'outer'))[0]
            inner.append(found.detach())
            return found

        adapted = descend(learner.parameters(), loss_of, self.steps, self.lr, self.second_order)
        objective, logged = learner.objective(learner.losses(query, adapted, self.terms != 'inner'))
        return Outcome(objective, {**logged, 'support_first': inner[0], 'support_last': inner[-1]})

    def test(self, learner: Learner, episode: Episode) -> Tensor:
        """See :meth:`MetaAlgorithm.test`.

        Args:
            learner: The student.
            episode: The episode.
        """
        return adapt_and_score(learner, episode, self.test_steps, self.lr)


def adapt_and_score(learner: Learner, episode: Episode, steps: int, lr: float) -> Tensor:
    """Adapt a student to the support of an episode, from labels alone, and score the queries.

    Args:
        learner: The student, in the mode of :meth:`Learner.tested`.
        episode: The episode.
        steps: Steps of gradient descent.
        lr: Their learning rate.

    Returns:
        ``(queries, way)``.
    """
    support, query = learner.prepare(episode.support, False), learner.prepare(episode.query, False)

    def loss_of(parameters: Mapping[str, Tensor], _step: int) -> Tensor:
        return learner.objective(learner.losses(support, parameters, terms=False))[0]

    adapted = descend(learner.parameters(), loss_of, steps, lr, differentiable=False)
    return learner.scores(query, {name: each.detach() for name, each in adapted.items()})
