"""A view that a teacher's own pipeline makes: of a modality that cannot be cut from the student's frames."""

import copy
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.core.restoring import random_state_restored, seed_everything, set_random_state


class OwnView:
    """Run a teacher's whole training pipeline on what the data set knows of a video.

    It starts from the random state that the student's pipeline started from, so that a teacher with the student's
    pipeline sees the student's sample; the student's own draws are what they are without it.

    Args:
        name: Key of the view.
        pipeline: The teacher's pipeline.
        another: Whether it draws by itself, from a state that follows from the student's: equal pipelines then give two
            views of a clip.
    """

    def __init__(self, name: str, pipeline: Sequence[Mapping], another: bool = False) -> None:
        self.name, self.another = name, another
        with random_state_restored():  # transforms may draw when they are built
            self.steps = [TRANSFORMS.build(step) for step in pipeline]

    def make(self, known: dict, state: Any) -> Any:
        """Return the view of one sample, or None when a transform gave up on it.

        Args:
            known: Sample as the dataset describes it; it is not changed.
            state: State of all random generators before the student's pipeline ran.

        Raises:
            ValueError: A transform needs what the data set does not know.
        """
        results: dict | None = copy.deepcopy(known)
        with random_state_restored():
            set_random_state(state)
            if self.another:
                seed_everything(int(np.random.randint(2**31)), zlib.crc32(self.name.encode()))
            for step in self.steps:
                try:
                    results = step(results)
                except KeyError as error:
                    raise WrongValueError(
                        f'DistillViews: view {self.name!r}: {type(step).__name__} needs {error} of a sample, but the '
                        f'data set and the steps before give {", ".join(sorted(results))}; expected a data set that '
                        "holds the teacher's modality too, such as PoseDataset with data_prefix=dict(video=...)"
                    ) from error
                if results is None:
                    return None
        return results['inputs']
