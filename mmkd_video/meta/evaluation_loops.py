"""Validation and test by episodes."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner, TestLoop, ValLoop
from mmengine.runner.amp import autocast
from torch.utils.data import DataLoader

from mmkd_video.core.checked import AnyOf, Anything, Settings, checked
from mmkd_video.core.model_wrapper import unwrapped
from mmkd_video.core.registry import LOOPS
from mmkd_video.meta.algorithm import build_algorithm
from mmkd_video.meta.episode import Episode, episodes_of, shape_of_episodes
from mmkd_video.meta.learner import Learner
from mmkd_video.meta.train_loop import ALGORITHM, learner_of

_BUILT = AnyOf(Settings('a dict'), Anything('MMEngine may have built it'))


class _Episodes:
    """What validation and test have in common."""

    stage = 'val'

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | Mapping,
        evaluator: Evaluator | Any,
        algorithm: Mapping,
        fp16: bool = False,
    ) -> None:
        super().__init__(runner, dataloader, evaluator, fp16)
        self.shape = shape_of_episodes(self.dataloader, f'{self.stage}_dataloader')
        self.algorithm = build_algorithm(f'{self.stage}_cfg.algorithm', algorithm)

    def run(self) -> dict[str, float]:
        """Adapt a copy of the student to each episode, and report how it does on the queries."""
        hook = self.runner.call_hook
        hook(f'before_{self.stage}')
        hook(f'before_{self.stage}_epoch')
        model = unwrapped(self.runner.model)
        model.eval()
        learner = learner_of(model, self.runner, self.algorithm, self.shape)
        for index, batch in enumerate(self.dataloader):
            hook(f'before_{self.stage}_iter', batch_idx=index, data_batch=batch)
            samples = [each for one in episodes_of(batch, self.shape) for each in self._judge(learner, one)]
            hook(f'after_{self.stage}_iter', batch_idx=index, data_batch=batch, outputs=samples)
        clips = len(self.dataloader) * self.dataloader.batch_sampler.episodes_per_batch * self.shape.clips
        metrics = self.evaluator.evaluate(clips * get_world_size())
        hook(f'after_{self.stage}_epoch', metrics=metrics)
        hook(f'after_{self.stage}')
        return metrics

    def _judge(self, learner: Learner, episode: Episode) -> Sequence:
        with learner.tested(self.algorithm.test_statistics), torch.enable_grad(), autocast(enabled=self.fp16):
            scores = self.algorithm.test(learner, episode)
        samples = episode.query['data_samples']
        for sample, row in zip(samples, scores.detach().float().cpu(), strict=True):
            sample.set_pred_score(row)
            sample.set_pred_label(row.argmax(dim=0, keepdim=True))
        self.evaluator.process(data_samples=samples, data_batch=episode.query)
        return samples


@LOOPS.register_module()
@checked(runner=Anything('MMEngine fills it in'), dataloader=_BUILT, evaluator=_BUILT, algorithm=ALGORITHM)
class EpisodeValLoop(_Episodes, ValLoop):
    """Validate by episodes: ``val_cfg=dict(type='EpisodeValLoop', algorithm=...)`` with ``EpisodeAccuracy``.

    Each episode starts from the student as it is, which stays so. Labels are those of the episode; teachers take no
    part.

    Args:
        runner: The runner.
        dataloader: Loader with an ``EpisodeBatchSampler``.
        evaluator: Metrics; each gets the queries of one episode at a time, with scores and labels of the episode.
        algorithm: The same setting as of ``EpisodeTrainLoop``.
        fp16: Whether it runs under autocast.

    Raises:
        ValueError: Batches are no episodes, or the model does not fit them.
    """

    stage = 'val'


@LOOPS.register_module()
@checked(runner=Anything('MMEngine fills it in'), dataloader=_BUILT, evaluator=_BUILT, algorithm=ALGORITHM)
class EpisodeTestLoop(_Episodes, TestLoop):
    """Test by episodes: ``test_cfg=dict(type='EpisodeTestLoop', algorithm=...)``; else as ``EpisodeValLoop``.

    Args:
        runner: The runner.
        dataloader: Loader with an ``EpisodeBatchSampler``.
        evaluator: Metrics.
        algorithm: The same setting as of ``EpisodeTrainLoop``.
        fp16: Whether it runs under autocast.

    Raises:
        ValueError: Batches are no episodes, or the model does not fit them.
    """

    stage = 'test'
