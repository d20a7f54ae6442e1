"""Augmentations that are drawn once and met again: what a training must repeat to see them."""

from dataclasses import dataclass
from typing import NamedTuple

from mmkd_video.core.mistakes import WrongValueError

SAMPLE_VIEW = 'sample_view'
"""Key of a sample's metainfo: the number of the augmentation that it was drawn with."""
BUILDING = 2  # keeps the seed of what transforms draw when they are built apart from those of samples


class Draw(NamedTuple):
    """One augmentation of one sample.

    Attributes:
        sample: Place of the sample among the different ones of its data set.
        view: Number of the augmentation.
    """

    sample: int
    view: int


@dataclass(frozen=True)
class Replay:
    """A fixed number of augmentations of each sample, which the passes over the data take in turn.

    Attributes:
        seed: Number that all of them follow from, with the sample and the view.
        views: Number of augmentations of each sample.
        samples: Number of samples.
        names: Hash of the samples' names, in order.
        pipeline: Hash of the student's training pipeline.
        source: Name of what holds them, for messages.
        clips: Number of clips that a batch holds of each of its videos, in as many of its augmentations.
        same_frames: Number of augmentations, one after the other, that show the same frames of a video.
    """

    seed: int
    views: int
    samples: int
    names: str
    pipeline: str
    source: str
    clips: int = 1
    same_frames: int = 1

    def draws(self, index: int, epoch: int, repeat: int) -> list[Draw]:
        """Return what a training sees of a sample at once; each further time that it comes it has the next views.

        Args:
            index: The sampler's index; from ``samples`` on they count again, as those of a ``RepeatDataset`` do.
            epoch: Number of the pass over the data.
            repeat: Number that tells apart the times that a sample comes within one pass.
        """
        first = (epoch + index // self.samples + repeat) * self.clips
        return [Draw(index % self.samples, (first + number) % self.views) for number in range(self.clips)]

    def check(self, samples: int, names: str, pipeline: str) -> None:
        """Check that a training set is the one that the augmentations are of.

        Args:
            samples: Number of its different samples.
            names: Hash of their names, in order.
            pipeline: Hash of the student's training pipeline.

        Raises:
            ValueError: It is another one.
        """
        if samples != self.samples:
            raise WrongValueError(
                f'{self.source}: it holds answers for {self.samples} samples, the training set has {samples}; expected '
                'the training set that it was made with; make a new cache for this one'
            )
        if names != self.names:
            raise WrongValueError(
                f'{self.source}: it holds answers for other samples, or in another order, than the training set of '
                f'{samples}; expected the list of videos that it was made with; make a new cache for this one'
            )
        if pipeline != self.pipeline:
            raise WrongValueError(
                f"{self.source}: it was made with another training pipeline of the student's (hash {self.pipeline}, "
                f'not {pipeline}), so its answers are about other clips; set that pipeline again, or make a new cache'
            )
