"""The training loop of episodes."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmkd_video.core.checked import AnyOf, Anything, ListOf, Optional, Settings, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.model_wrapper import unwrapped
from mmkd_video.core.registry import LOOPS
from mmkd_video.meta.algorithm import build_algorithm
from mmkd_video.meta.episode import episodes_of, shape_of_episodes
from mmkd_video.meta.learner import Learner, gradients_of
from mmkd_video.meta.ranks import average_over_ranks, expect_plain_optimizer, step

ALGORITHM = Settings("dict(type='MAML', ...)", needs=('type',))


@LOOPS.register_module()
@checked(
    runner=Anything('MMEngine fills it in'),
    dataloader=AnyOf(Settings('dict(dataset=...)'), Anything('MMEngine may have built it')),
    algorithm=ALGORITHM,
    max_epochs=Whole(1),
    val_begin=Whole(0),
    val_interval=Whole(1),
    dynamic_intervals=Optional(ListOf(Anything('MMEngine reads it'))),
)
class EpisodeTrainLoop(EpochBasedTrainLoop):
    """Train on episodes: ``train_cfg=dict(type='EpisodeTrainLoop', algorithm=dict(type='MAML'), max_epochs=10)``.

    The model is a plain recognizer or a ``Distiller``; neither is changed, and checkpoints, resume, hooks and
    schedulers are those of ``EpochBasedTrainLoop``. A step takes the mean gradient over the episodes of the batch of
    all ranks; the optimizer, its clipping and its accumulation are the config's.

    Args:
        runner: The runner.
        dataloader: Loader with an ``EpisodeBatchSampler``.
        algorithm: ``dict(type='MAML' | 'Reptile' | 'ProtoNet', ...)``.
        max_epochs: Epochs of the training.
        val_begin: First epoch after which episodes are validated.
        val_interval: Epochs from one validation to the next.
        dynamic_intervals: The same setting as of ``EpochBasedTrainLoop``.

    Raises:
        ValueError: Batches are no episodes, or the model or the optimizer cannot be trained this way.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | Mapping,
        algorithm: Mapping,
        max_epochs: int,
        val_begin: int = 1,
        val_interval: int = 1,
        dynamic_intervals: Sequence | None = None,
    ) -> None:
        super().__init__(runner, dataloader, max_epochs, val_begin, val_interval, dynamic_intervals)
        self.shape = shape_of_episodes(self.dataloader, 'train_dataloader')
        self.algorithm = build_algorithm('train_cfg.algorithm', algorithm)
        self._learner: Learner | None = None

    @property
    def learner(self) -> Learner:
        """The student, checked when it is first asked for."""
        model = unwrapped(self.runner.model)
        if self._learner is None or self._learner.model is not model:
            self._learner = learner_of(model, self.runner, self.algorithm, self.shape)
        return self._learner

    def run_iter(self, idx: int, data_batch: Mapping) -> None:
        """Take a step on the episodes of a batch.

        Args:
            idx: Number of the batch in its epoch.
            data_batch: The batch, as the loader gives it.
        """
        expect_plain_optimizer(self.runner.optim_wrapper)
        self.runner.call_hook('before_train_iter', batch_idx=idx, data_batch=data_batch)
        outputs = self._step(data_batch)
        self.runner.call_hook('after_train_iter', batch_idx=idx, data_batch=data_batch, outputs=outputs)
        self._iter += 1

    def _step(self, batch: Mapping) -> dict[str, Tensor]:
        learner, wrapper = self.learner, self.runner.optim_wrapper
        parameters = [each for each in learner.model.parameters() if each.requires_grad]
        sums = [torch.zeros_like(each) for each in parameters]
        logged: dict[str, list[Tensor]] = {}
        episodes = episodes_of(batch, self.shape)
        with wrapper.optim_context(learner.model):
            for episode in episodes:  # one after another, so that memory holds one
                outcome = self.algorithm.train(learner, episode)
                torch._foreach_add_(sums, gradients_of(outcome.objective, parameters))
                for key, value in outcome.logged.items():
                    logged.setdefault(key, []).append(torch.as_tensor(value).detach().float())
            torch._foreach_div_(sums, len(episodes))
            step(wrapper, parameters, average_over_ranks(sums))
        return {key: torch.stack(values).mean() for key, values in logged.items()}


def learner_of(model: nn.Module, runner: Runner, algorithm: Any, shape: Any) -> Learner:
    """Return a runner's model as a learner.

    Args:
        model: The model without its wrapper.
        runner: The runner.
        algorithm: The algorithm that it is to learn by.
        shape: Shape of the episodes.

    Raises:
        ValueError: The model does not fit the episodes, or cannot run with other parameters.
    """
    learner = Learner(model)
    preprocessor = getattr(learner.student, 'data_preprocessor', None)
    if getattr(preprocessor, 'blending', None) is not None:
        raise WrongValueError(
            'model.data_preprocessor.blending: got mixed labels; expected None, as the clips of an episode have one '
            'class each'
        )
    learner.expect_no_recomputing(runner.cfg.get('activation_checkpointing'))
    algorithm.check(learner, shape)
    return learner
