"""Batches that are episodes: some classes, a few clips of each to learn from, and others to be judged by."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler

from mmkd_video.core.checked import Anything, OneOf, Optional, Settings, Whole, checked
from mmkd_video.core.mistakes import WrongTypeError, WrongValueError
from mmkd_video.core.registry import DATA_SAMPLERS
from mmkd_video.datasets.class_split import PARTS, classes_of
from mmkd_video.datasets.mixed_batch_sampler import RepeatedIndex

_EPISODES = 4  # keeps these seeds apart from those of samples and batches


@dataclass(frozen=True)
class EpisodeShape:
    """How many clips an episode has.

    Attributes:
        way: Classes.
        shot: Clips of each class to learn from: the support.
        queries: Other clips of each class, by which what was learnt is judged.
    """

    way: int
    shot: int
    queries: int

    @property
    def clips(self) -> int:
        """Clips in all."""
        return self.way * (self.shot + self.queries)


@DATA_SAMPLERS.register_module()
@checked(
    sampler=Anything('MMEngine fills it in'),
    batch_size=Whole(1),
    way=Whole(2),
    shot=Whole(1),
    queries=Whole(1),
    episodes=Whole(1),
    split=Optional(Settings('dict(base=[...], validation=[...], novel=[...])'), 'all classes'),
    part=OneOf(*PARTS),
    seed=Optional(Whole(0), "the run's"),
)
class EpisodeBatchSampler:
    """Draw N-way K-shot episodes from any data set that knows its labels.

    Which classes, in which order, and which clips an episode holds follows from (seed, epoch, number of the episode),
    whatever the number of processes; these take turns. A batch holds ``batch_size`` episodes one after another, each
    the support, class by class, then the queries, class by class. An epoch of every process has as many batches, so a
    few episodes more than asked for where they do not divide. No clip is twice in an episode.
    Source: Vinyals et al., Matching Networks for One Shot Learning, NeurIPS 2016 (https://arxiv.org/abs/1606.04080).

    Args:
        sampler: A ``DefaultSampler``, which knows the data set, the seed, the epoch and the processes.
        batch_size: Episodes of a batch, of each process.
        way: Classes of an episode.
        shot: Support clips of each class.
        queries: Query clips of each class.
        episodes: Episodes of an epoch, all processes together.
        split: ``dict(base=[...], validation=[...], novel=[...])``: labels, or names in ``classes.txt`` beside the
            annotation file. None: episodes are drawn from all classes.
        part: The part of the split that episodes are drawn from.
        seed: Seed of the episodes; None: the run's. One of their own makes validations of all runs the same.

    Raises:
        ValueError: There are too few classes, or a class has too few clips.
        TypeError: The sampler is another one.
    """

    relabels = True
    """Whether labels are places among an episode's classes, and not those of the annotation file."""

    def __init__(
        self,
        sampler: DefaultSampler,
        batch_size: int,
        way: int = 5,
        shot: int = 1,
        queries: int = 5,
        episodes: int = 100,
        split: Mapping | None = None,
        part: str = 'base',
        seed: int | None = None,
    ) -> None:
        if not isinstance(sampler, DefaultSampler):
            raise WrongTypeError(f'EpisodeBatchSampler: got sampler {type(sampler).__name__}, expected DefaultSampler')
        self.sampler, self.episodes_per_batch, self.episodes = sampler, batch_size, episodes
        self.shape = EpisodeShape(way, shot, queries)
        self.seed = sampler.seed if seed is None else seed
        labels = np.array([_label_of(sampler.dataset, index) for index in range(len(sampler.dataset))])
        known = sorted({int(label) for label in labels if label >= 0})
        self.classes = classes_of(split, part, sampler.dataset, known)
        self._clips = {label: np.flatnonzero(labels == label) for label in self.classes}
        self._expect_enough(part if split is not None else None)

    def __len__(self) -> int:
        return -(-self.episodes // (self.episodes_per_batch * self.sampler.world_size))

    def __iter__(self) -> Iterator[list[int]]:
        """Iterate over the batches of this process in one epoch."""
        world, rank = self.sampler.world_size, self.sampler.rank
        for batch in range(len(self)):
            first = batch * self.episodes_per_batch
            numbers = [(first + place) * world + rank for place in range(self.episodes_per_batch)]
            yield [index for number in numbers for index in self.episode(self.sampler.epoch, number)]

    def episode(self, epoch: int, number: int) -> list[int]:
        """Return the clips of one episode, the support first.

        Args:
            epoch: Number of the epoch.
            number: Number of the episode in its epoch, over all processes.
        """
        shape, draw = self.shape, np.random.default_rng((self.seed, _EPISODES, epoch, number))
        labels = draw.choice(self.classes, shape.way, replace=False)
        clips = [draw.choice(self._clips[int(label)], shape.shot + shape.queries, replace=False) for label in labels]
        support = [index for each in clips for index in each[: shape.shot]]
        queries = [index for each in clips for index in each[shape.shot :]]
        found = [RepeatedIndex(index) for index in support + queries]
        for index in found:
            index.repeat = number  # so that a clip is cropped anew in every episode
        return found

    def _expect_enough(self, part: str | None) -> None:
        shape, where = self.shape, 'the annotation file' if part is None else f'split.{part}'
        if len(self.classes) < shape.way:
            raise WrongValueError(
                f'batch_sampler.way: got {shape.way}; expected at most {len(self.classes)}, the classes of {where}; '
                'lower way or add classes'
            )
        for label, clips in self._clips.items():
            if len(clips) < shape.shot + shape.queries:
                raise WrongValueError(
                    f'batch_sampler: class {label} of {where} has {len(clips)} clips; expected at least '
                    f'{shape.shot + shape.queries}, shot={shape.shot} and queries={shape.queries}; lower one of them, '
                    'add clips or leave the class out of split'
                )


def _label_of(dataset: Any, index: int) -> int:
    """Return the label of a clip, -1 where there is none."""
    label = dataset.get_data_info(index).get('label', -1) if hasattr(dataset, 'get_data_info') else -1
    if not isinstance(label, int | np.integer):
        raise WrongValueError(
            f'batch_sampler: got a clip with the label {str(label)[:60]}; expected one class a clip, as episodes are '
            'drawn class by class'
        )
    return int(label)
