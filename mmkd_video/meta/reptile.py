"""Reptile: weights that move towards those that each task trains."""

from collections.abc import Mapping

import torch
from torch import Tensor

from mmkd_video.core.checked import Number, Optional, Whole, checked
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.functional import descend
from mmkd_video.meta.algorithm import STATISTICS, MetaAlgorithm, Outcome
from mmkd_video.meta.episode import Episode, joined, some_of
from mmkd_video.meta.learner import Learner, gradients_of
from mmkd_video.meta.maml import adapt_and_score


@TASK_UTILS.register_module()
@checked(
    steps=Whole(1),
    lr=Number(0, above=True),
    clips=Optional(Whole(1), 'all clips of the episode'),
    test_steps=Optional(Whole(0), 'as many as in training'),
    test_statistics=STATISTICS,
)
class Reptile(MetaAlgorithm):
    """Train on an episode, then move the weights a part of the way to what came out.

    Source: Nichol, Achiam and Schulman, On First-Order Meta-Learning Algorithms, 2018
    (https://arxiv.org/abs/1803.02999). The gradient that the optimizer gets is ``weights - trained weights``: with
    plain SGD its learning rate is the paper's step size epsilon. Support and queries are trained on alike, as in the
    paper; with a distiller its terms take part. The first pass moves the running statistics, as with ``MAML``.
    Connectors and learned losses of terms get the gradient of the last step's loss.

    Args:
        steps: Steps of gradient descent on the episode.
        lr: Their learning rate.
        clips: Clips of each step, drawn without one coming again before all have come; None: all.
        test_steps: Steps on the support in tests.
        test_statistics: The same setting as of ``MAML``.

    Raises:
        ValueError: A setting is out of its range.
    """

    def __init__(
        self,
        steps: int = 5,
        lr: float = 0.01,
        clips: int | None = None,
        test_steps: int | None = None,
        test_statistics: str = 'batch',
    ) -> None:
        super().__init__(test_statistics)
        self.steps, self.lr, self.clips = steps, lr, clips
        self.test_steps = steps if test_steps is None else test_steps

    def train(self, learner: Learner, episode: Episode) -> Outcome:
        """See :meth:`MetaAlgorithm.train`.

        Args:
            learner: The student, with its teachers.
            episode: The episode.
        """
        clips = joined(episode.support, episode.query)
        count = len(clips['data_samples'])
        size = min(self.clips or count, count)
        passes = -(-self.steps * size // count)
        order = torch.cat([torch.randperm(count) for _ in range(passes)]).tolist()
        state = getattr(learner.model, 'training_state', None)
        others = [] if state is None else [each for each in state.parameters() if each.requires_grad]
        last: dict = {}

        def loss_of(parameters: Mapping[str, Tensor], step: int) -> Tensor:
            batch = some_of(clips, order[step * size : (step + 1) * size]) if size < count else clips
            losses = learner.losses(learner.prepare(batch, True), parameters if step else None)
            objective, last['logged'] = learner.objective(losses)
            if others and step == self.steps - 1:
                last['slopes'] = gradients_of(objective, others, more=True)
            return objective

        own = learner.parameters()
        trained = descend(own, loss_of, self.steps, self.lr, differentiable=False)
        moved = [(each * (each - trained[name]).detach()).sum() for name, each in own.items()]
        moved += [(each * slope).sum() for each, slope in zip(others, last.get('slopes', ()), strict=True)]
        return Outcome(torch.stack(moved).sum(), {key: value.detach() for key, value in last['logged'].items()})

    def test(self, learner: Learner, episode: Episode) -> Tensor:
        """See :meth:`MetaAlgorithm.test`.

        Args:
            learner: The student.
            episode: The episode.
        """
        return adapt_and_score(learner, episode, self.test_steps, self.lr)
