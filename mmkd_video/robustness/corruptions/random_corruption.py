"""Corruptions in training."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from mmkd_video.core.checked import ListOf, Number, Optional, Text, Whole, checked, did_you_mean
from mmkd_video.core.mistakes import WrongKeyError
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.robustness.corruptions.corruption import SEVERITIES, corruptions


@TRANSFORMS.register_module()
@checked(
    kinds=Optional(ListOf(Text('the name of a corruption'), least=1), 'all of mmkd_video'),
    severities=ListOf(Whole(1, 5), least=1),
    probability=Number(0, 1),
)
class RandomCorruption(BaseTransform):
    """One corruption for each clip of a training, of a kind and a severity that are drawn anew each time.

    It stands right behind the decoder, as a corruption does. It draws from numpy's generator once, whatever the kind,
    which the training seeds for each sample. In the ``student`` of ``DistillViews`` it spoils the student's clips
    alone: the views of teachers are cut from the clean frames.

    Args:
        kinds: Names of corruptions, such as ``'GaussianNoise'``; all of mmkd_video by default.
        severities: Severities of 1 to 5.
        probability: Share of the clips that are corrupted, 0 to 1.

    Raises:
        KeyError: There is no such corruption.
    """

    of_one_view = True

    def __init__(
        self, kinds: Sequence[str] | None = None, severities: Sequence[int] = SEVERITIES, probability: float = 1.0
    ) -> None:
        known = corruptions()
        ours = [name for name, each in known.items() if each.__module__.startswith('mmkd_video.')]
        for name in kinds or ():
            if name not in known:
                raise WrongKeyError(
                    f'RandomCorruption.kinds: got {name!r}; expected some of {", ".join(known)}; '
                    f'{did_you_mean(name, list(known)) or "see docs/robustness.md"}'
                )
        self.probability = probability
        self._choices = [known[name](severity=each) for name in kinds or ours for each in severities]

    def transform(self, results: dict) -> dict:
        """Corrupt the frames of a sample, or leave it as it is.

        Args:
            results: Sample as the decoder left it.

        Raises:
            ValueError: There are no RGB frames of uint8 in it.
        """
        rng = np.random.default_rng(np.random.randint(0, 2**31 - 1))
        if rng.random() >= self.probability:
            return results
        return self._choices[rng.integers(len(self._choices))].spoil(results, rng)
