"""What hooks that learn from held-back clips have in common."""

from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.model_wrapper import unwrapped
from mmkd_video.meta.held_back import HeldBack
from mmkd_video.meta.learner import Learner
from mmkd_video.meta.ranks import expect_plain_optimizer
from mmkd_video.meta.rehearsal import Rehearsal


class QuizHook(Hook):
    """A hook that, before some of the steps, tries the step out and sees what it would do to held-back clips.

    Args:
        dataloader: Loader of clips with labels, none of which is trained on; its pipeline is the student's.
        interval: Number of steps from one quiz to the next; the first step has one.
        lr: Learning rate of the step that is tried out, plain gradient descent; None: the optimizer's at that time.
    """

    priority = 'BELOW_NORMAL'  # after DistillHook has moved the schedules

    def __init__(self, dataloader: Mapping, interval: int, lr: float | None) -> None:
        self.dataloader, self.interval, self.lr = dataloader, interval, lr
        self._held_back: HeldBack | None = None
        self._learner: Learner | None = None

    @property
    def name(self) -> str:
        """Its name in messages."""
        return type(self).__name__

    def before_run(self, runner: Runner) -> None:
        """See that the model and the training can be quizzed.

        Raises:
            ValueError: They cannot; says what is expected.
        """
        if runner._train_loop is None:
            return
        learner = Learner(unwrapped(runner.model))
        if not hasattr(learner.model, 'training_state'):
            raise WrongValueError(f'{self.name}: got a model without terms; expected a Distiller')
        learner.expect_no_recomputing(runner.cfg.get('activation_checkpointing'))

    def before_train(self, runner: Runner) -> None:
        """Build the loader of held-back clips.

        Raises:
            ValueError: There are none, or the optimizer scales its losses.
        """
        expect_plain_optimizer(runner.optim_wrapper)
        if getattr(getattr(runner.train_dataloader, 'batch_sampler', None), 'relabels', False):
            raise WrongValueError(f'{self.name}: got a training by episodes; expected an ordinary one')
        self._learner = Learner(unwrapped(runner.model))
        self._held_back = HeldBack(self.dataloader, f'{self.name}.dataloader', runner, self._learner.student)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Hold a quiz where one is due."""
        wanted = self.wanted(self._learner)
        number, rest = divmod(runner.iter, self.interval)
        if rest or not wanted:
            return
        wrapper = runner.optim_wrapper
        rate = wrapper.get_lr()['lr'][0] if self.lr is None else self.lr
        rehearsal = Rehearsal(self._learner, rate)
        with wrapper.optim_context(self._learner.model), rehearsal.without_trace():
            found = self.quiz(rehearsal, data_batch, self._held_back.batch(number))
        logged = self.conclude(self._learner, found)
        runner.message_hub.update_scalars({f'train/{key}': float(value) for key, value in logged.items()})

    def wanted(self, learner: Learner) -> bool:
        """Return whether a quiz would be of any use now; asked before every step.

        Args:
            learner: The student, with its teachers.
        """
        raise NotImplementedError

    def quiz(self, rehearsal: Rehearsal, batch: Mapping, held_back: Mapping) -> Any:
        """Return what the step on a batch would do to held-back clips; nothing is changed.

        Args:
            rehearsal: The step that is tried out.
            batch: Batch that it is about.
            held_back: Batch of held-back clips.
        """
        raise NotImplementedError

    def conclude(self, learner: Learner, found: Any) -> Mapping[str, Any]:
        """Learn from what a quiz has found, and return what is logged.

        Args:
            learner: The student, with its teachers.
            found: Result of :meth:`quiz`.
        """
        raise NotImplementedError
