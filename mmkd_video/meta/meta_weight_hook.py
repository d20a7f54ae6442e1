"""Weights of terms that learn from clips which are held back."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.runner import Runner
from torch import Tensor

from mmkd_video.core.checked import Number, Optional, Settings, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.model_wrapper import unwrapped
from mmkd_video.core.registry import HOOKS
from mmkd_video.meta.learner import Learner
from mmkd_video.meta.quiz import QuizHook
from mmkd_video.meta.ranks import average_over_ranks
from mmkd_video.meta.rehearsal import Rehearsal
from mmkd_video.weightings import MetaLearnedWeighting


@HOOKS.register_module()
@checked(
    dataloader=Settings('dict(batch_size=8, dataset=dict(...))', needs=('dataset',)),
    interval=Whole(1),
    rate=Number(0, above=True),
    lr=Optional(Number(0, above=True), "the optimizer's"),
)
class MetaWeightHook(QuizHook):
    """Move the weights of all terms with ``weight=dict(type='MetaLearned')`` by what they do to held-back clips.

    Before a step it is tried out: the student goes against the gradient of the whole objective once. The derivative of
    the loss on held-back clips after it, by the logarithm of a weight, is ``-lr * weight * <their gradient there,
    gradient of the term here>``. The logarithm moves by ``rate`` times this product over the mean product of the two
    lengths so far: as far whatever the scale of the losses, and no further where the weight is right. The held-back
    loss is the student's own, without terms.

    Source: Ren et al., Learning to Reweight Examples for Robust Deep Learning, ICML 2018
    (https://arxiv.org/abs/1803.09050), which weighs clips anew in each step, from 0; here terms have weights that stay.

    Args:
        dataloader: Loader of clips with labels that are not trained on; its pipeline is the student's.
        interval: Number of steps from one quiz to the next. A quiz costs about two steps, and one more backward pass
            for each term.
        rate: Largest change of a weight's logarithm in a quiz.
        lr: Learning rate of the step that is tried out; None: the optimizer's at that time.

    Raises:
        ValueError: A setting is out of its range.
    """

    def __init__(self, dataloader: Mapping, interval: int = 10, rate: float = 0.1, lr: float | None = None) -> None:
        super().__init__(dataloader, interval, lr)
        self.rate = rate

    def before_run(self, runner: Runner) -> None:
        """See that there is something to weigh.

        Raises:
            ValueError: No term has a weight that is learned this way.
        """
        super().before_run(runner)
        if runner._train_loop is not None and not _weightings(Learner(unwrapped(runner.model))):
            raise WrongValueError(
                f"{self.name}: got no term with a weight to learn; expected weight=dict(type='MetaLearned') in one of "
                f'{", ".join(unwrapped(runner.model).training_state.terms)}'
            )

    def wanted(self, learner: Learner) -> bool:
        """See :class:`QuizHook`; pruning may have built the weights anew."""
        found = _weightings(learner)
        for weighting in found.values():
            weighting.attended = True
        return any(learner.model.training_state.terms[name].acting for name in found)

    def quiz(self, rehearsal: Rehearsal, batch: Mapping, held_back: Mapping) -> tuple[Tensor, dict]:
        """Return the held-back loss, and for each term the product of its gradient with the held-back one.

        Args:
            rehearsal: The step that is tried out.
            batch: Batch that it is about.
            held_back: Batch of held-back clips.
        """
        terms = rehearsal.learner.model.training_state.terms
        names = [name for name in _weightings(rehearsal.learner) if terms[name].acting]
        losses = rehearsal.losses(batch)
        objective = rehearsal.learner.objective(losses)[0]
        slopes = [rehearsal.gradients(each) for each in (objective, *(losses[f'loss_{name}'] for name in names))]
        size = len(slopes[0])
        flat = average_over_ranks([each for part in slopes for each in part])
        parts = [flat[first : first + size] for first in range(0, len(flat), size)]
        after, loss = rehearsal.judge(parts[0], held_back)
        return loss, {name: products(part, after) for name, part in zip(names, parts[1:], strict=True)}

    def conclude(self, learner: Learner, found: tuple[Tensor, dict]) -> Mapping[str, Any]:
        """Move the weights, and return them to be logged.

        Args:
            learner: The student, with its terms.
            found: Result of :meth:`quiz`.
        """
        loss, terms = found
        weightings, logged = _weightings(learner), {'held_back_loss': loss}
        for name, (product, length) in terms.items():
            weightings[name].learn(product, length, self.rate)
            logged[f'{name}_weight'] = weightings[name].log_weight.exp()
        return logged


def products(first: Sequence[Tensor], second: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the inner product of two gradients over all parameters and the product of their lengths, 0-d in float64.

    Args:
        first: Gradient for each parameter.
        second: Another.
    """
    pairs = [(a.double(), b.double()) for a, b in zip(first, second, strict=True)]
    inner, one, other = (
        torch.stack([(pair[i] * pair[j]).sum() for pair in pairs]).sum() for i, j in ((0, 1), (0, 0), (1, 1))
    )
    return inner, (one * other).sqrt()


def _weightings(learner: Learner) -> dict[str, MetaLearnedWeighting]:
    """Return the weights that are learned from held-back clips, by the names of their terms."""
    terms = learner.model.training_state.terms
    found = {name: term.weighting for name, term in terms.items()}
    return {name: each for name, each in found.items() if isinstance(each, MetaLearnedWeighting)}
