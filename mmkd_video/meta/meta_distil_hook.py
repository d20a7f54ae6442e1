"""Teachers that learn to teach, by how well their student does."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch
from mmengine.registry import OPTIMIZERS
from mmengine.runner import Runner
from torch import Tensor
from torch.optim import Optimizer

from mmkd_video.core.checked import Number, Optional, Settings, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.model_wrapper import unwrapped
from mmkd_video.core.registry import HOOKS
from mmkd_video.losses.base import gradient_to_teacher
from mmkd_video.meta.learner import Learner
from mmkd_video.meta.quiz import QuizHook
from mmkd_video.meta.ranks import average_over_ranks
from mmkd_video.meta.rehearsal import Rehearsal
from mmkd_video.teachers import MetaTeacher

KEY = 'meta_teachers'  # a checkpoint's top-level key: the state of each teacher's optimizer


@HOOKS.register_module()
@checked(
    dataloader=Settings('dict(batch_size=8, dataset=dict(...))', needs=('dataset',)),
    optimizer=Settings("dict(type='SGD', lr=0.001)", needs=('type',)),
    interval=Whole(1),
    lr=Optional(Number(0, above=True), "the optimizer's"),
    max_norm=Optional(Number(0, above=True), 'not clipped'),
)
class MetaDistilHook(QuizHook):
    """Move every ``MetaTeacher`` to where a step of its student does well on held-back clips, before it is taken.

    The pilot update of MetaDistil: (1) the student takes a step on the batch at hand, by plain gradient descent on the
    whole objective; (2) its loss on held-back clips, its own without terms, is differentiated through that step, and
    the teacher moves against the derivative; (3) the student, its weights as before, takes the real step on the same
    batch from the new teacher, with its own optimizer. Source: Zhou, Xu and McAuley, BERT Learns to Teach, ACL 2022
    (https://arxiv.org/abs/2106.04570), algorithm 1, code JetRunner/MetaDistil. There as here the teacher teaches
    without dropout; there several batches may make up one pilot step.

    Args:
        dataloader: Loader of clips with labels that are not trained on; its pipeline is the student's.
        optimizer: Optimizer of the teachers, each with one of its own; its state lies in checkpoints.
        interval: Number of steps from one pilot to the next.
        lr: Learning rate of the pilot step; None: that of the student's optimizer at that time.
        max_norm: Largest norm of a teacher's gradient; None: it is not clipped.

    Raises:
        ValueError: A setting is out of its range.
    """

    def __init__(
        self,
        dataloader: Mapping,
        optimizer: Mapping = {'type': 'SGD', 'lr': 0.001, 'momentum': 0.9},
        interval: int = 1,
        lr: float | None = None,
        max_norm: float | None = None,
    ) -> None:
        super().__init__(dataloader, interval, lr)
        self.optimizer, self.max_norm = optimizer, max_norm
        self._optimizers: dict[str, Optimizer] = {}
        self._loaded: Mapping | None = None

    def before_run(self, runner: Runner) -> None:
        """See that there is a teacher to train.

        Raises:
            ValueError: No teacher is a ``MetaTeacher``.
        """
        super().before_run(runner)
        if runner._train_loop is not None and not teachers_of(Learner(unwrapped(runner.model))):
            raise WrongValueError(
                f"{self.name}: got no teacher that learns to teach; expected teacher=dict(type='MetaTeacher', "
                'config=..., checkpoint=...)'
            )

    def before_train(self, runner: Runner) -> None:
        """Build the optimizers, and let them go on where a resumed training was.

        Raises:
            ValueError: The checkpoint to resume from holds none, or those of other teachers.
        """
        super().before_train(runner)
        self._optimizers = {
            name: OPTIMIZERS.build(dict(self.optimizer, params=teacher.parameters()))
            for name, teacher in teachers_of(self._learner).items()
        }
        if self._loaded is not None:
            self._load(self._loaded)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the state of the optimizers to a checkpoint."""
        checkpoint[KEY] = {name: each.state_dict() for name, each in self._optimizers.items()}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the state of the optimizers when a training is resumed."""
        if runner._resume:
            self._loaded = checkpoint.get(KEY, {})

    def wanted(self, learner: Learner) -> bool:
        """See :class:`QuizHook`.

        Args:
            learner: The student, with its teachers.
        """
        for teacher in teachers_of(learner).values():
            teacher.attended = True
        return any(term.acting for term in learner.model.training_state.terms.values())

    def quiz(self, rehearsal: Rehearsal, batch: Mapping, held_back: Mapping) -> tuple[Tensor, dict[str, list[Tensor]]]:
        """Return the loss on held-back clips after the step, and its derivative for the parameters of each teacher.

        Args:
            rehearsal: The step that is tried out.
            batch: Batch that it is about.
            held_back: Batch of held-back clips.

        Raises:
            ValueError: The step does not depend on a teacher.
        """
        teachers = teachers_of(rehearsal.learner)
        with ExitStack() as stack:
            for teacher in teachers.values():
                stack.enter_context(teacher.learning())
            stack.enter_context(gradient_to_teacher())
            objective = rehearsal.learner.objective(rehearsal.losses(batch))[0]
            slopes = rehearsal.gradients(objective, graph=True)
            after, loss = rehearsal.judge(average_over_ranks([each.detach() for each in slopes]), held_back)
            # the chain rule through the step, so that the graph of the second pass is free by now
            way = [(slope * each).sum() for slope, each in zip(slopes, after, strict=True) if slope.requires_grad]
            parameters = [each for teacher in teachers.values() for each in teacher.parameters()]
            through = -rehearsal.rate * torch.stack(way).sum() if way else None
            found = _derivatives(through, parameters)
        found = iter(average_over_ranks(found))
        return loss, {name: [next(found) for _ in teacher.parameters()] for name, teacher in teachers.items()}

    def conclude(self, learner: Learner, found: tuple[Tensor, dict[str, list[Tensor]]]) -> Mapping[str, Any]:
        """Let each teacher take a step.

        Args:
            learner: The student, with its teachers.
            found: Result of :meth:`quiz`.
        """
        loss, derivatives = found
        logged: dict[str, Any] = {'held_back_loss': loss}
        for name, teacher in teachers_of(learner).items():
            parameters = teacher.parameters()
            for parameter, slope in zip(parameters, derivatives[name], strict=True):
                parameter.grad = slope
            limit = float('inf') if self.max_norm is None else self.max_norm
            logged[f'{name}_meta_grad'] = torch.nn.utils.clip_grad_norm_(parameters, limit)
            self._optimizers[name].step()
            self._optimizers[name].zero_grad(set_to_none=True)
        return logged

    def _load(self, states: Mapping) -> None:
        if not isinstance(states, Mapping) or set(states) != set(self._optimizers):
            got = sorted(states) if isinstance(states, Mapping) else type(states).__name__
            raise WrongValueError(
                f"the checkpoint to resume from: '{KEY}' holds {got}; expected {sorted(self._optimizers)}; resume with "
                'the config it was trained with, or start anew from its weights with load_from'
            )
        for name, optimizer in self._optimizers.items():
            try:
                optimizer.load_state_dict(states[name])
                parameters = [each for group in optimizer.param_groups for each in group['params']]
                fits = all(
                    not isinstance(kept, Tensor) or not kept.ndim or kept.shape == parameter.shape
                    for parameter in parameters
                    for kept in optimizer.state.get(parameter, {}).values()
                )
            except (KeyError, TypeError, ValueError, AttributeError, IndexError):
                fits = False
            if not fits:
                raise WrongValueError(
                    f"the checkpoint to resume from: '{KEY}.{name}' is no state of a {type(optimizer).__name__} for "
                    'this teacher; resume with the config it was trained with'
                )


def teachers_of(learner: Learner) -> dict[str, MetaTeacher]:
    """Return the teachers that learn to teach, by name.

    Args:
        learner: The student, with its teachers.
    """
    return {name: each for name, each in learner.model.teachers.items() if isinstance(each, MetaTeacher)}


def _derivatives(through: Tensor | None, parameters: list[Tensor]) -> list[Tensor]:
    found: tuple = (None,)
    if through is not None:
        found = torch.autograd.grad(through, parameters, allow_unused=True)
    if all(each is None for each in found):
        raise WrongValueError(
            "MetaDistilHook: got terms through which no gradient reaches the teacher's weights; expected one that "
            "compares features as they are, such as dict(type='KDLoss', at='logits')"
        )
    return [torch.zeros_like(p) if g is None else g.detach() for p, g in zip(parameters, found, strict=True)]
