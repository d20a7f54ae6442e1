"""What belongs to an episode: the classes that its clips are told apart by, in an order of its own."""

from collections.abc import Sequence

from mmkd_video.core.mistakes import WrongValueError

EPISODE_CLASSES = 'episode_classes'
"""Key in a sample's metainfo: the data set's labels of the episode's classes; ``gt_label`` is a place among them."""


def episode_classes(samples: Sequence) -> list[int]:
    """Return the data set's labels of the classes of an episode, in the episode's order.

    Args:
        samples: Its samples.

    Raises:
        ValueError: They are no episode.
    """
    found = samples[0].get(EPISODE_CLASSES) if len(samples) else None
    if found is None:
        raise WrongValueError(
            "classes='episode': got a batch that is no episode; expected train_cfg=dict(type='EpisodeTrainLoop', ...) "
            "with batch_sampler=dict(type='EpisodeBatchSampler', ...)"
        )
    return list(found)
