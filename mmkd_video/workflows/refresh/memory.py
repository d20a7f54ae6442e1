"""The old clips that are learned again with the new ones."""

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from mmkd_video.functional import herding
from mmkd_video.workflows.refresh.lists import Clip

_DRAWN = 7  # keeps this seed apart from those of other uses of the same number


def choose_memory(
    clips: Sequence[Clip], count: int, selection: str, seed: int, features: Callable[[], Tensor]
) -> list[Clip]:
    """Choose as many clips of each class.

    Args:
        clips: All clips that the old student was trained on.
        count: Number of clips of each class; all of a class that has fewer.
        selection: ``'herding'`` or ``'random'``.
        seed: Seed of the random ones.
        features: Function that returns what the old student's classifier reads of the clips, ``(N, C)``; called where
            clips are herded.

    Returns:
        The chosen ones, class by class, in the order in which they were taken.
    """
    if count == 0:
        return []
    herded = features() if selection == 'herding' else None
    chosen: list[Clip] = []
    for label in sorted({label for _, label in clips}):
        places = [place for place, clip in enumerate(clips) if clip[1] == label]
        if herded is None:
            order = np.random.default_rng((seed, _DRAWN, label)).permutation(len(places))[:count]
        else:
            order = herding(herded[places], count)
        chosen += [clips[places[place]] for place in order]
    return chosen
