"""The class of every frame of a clip, from a text file beside the video."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform

from mmkd_video.core.checked import AnyOf, ListOf, Text, checked
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.recognizers.name_file import read_names


@TRANSFORMS.register_module()
@checked(classes=AnyOf(ListOf(Text('a name'), least=1), Text('a file of names')), suffix=Text('the end of a name'))
class LoadFrameLabels(BaseTransform):
    """Give a sample the classes of the frames that were sampled, as its label.

    ``videos/a.mp4`` has its classes in ``videos/a.txt``: a name on each line, one for each frame, as the ground truth
    of 50Salads and Breakfast has. It stands behind ``SampleFrames``, and reads its ``frame_inds``; the label of the
    list is not looked at.

    Args:
        classes: Names in the order of the labels, or a file with a name on each line.
        suffix: End of the name of the text file, in the place of the video's.
        unlabelled: Names of frames that have no class: their label is -1, and they are left out of losses and metrics.
    """

    def __init__(
        self, classes: Sequence[str] | str, suffix: str = '.txt', unlabelled: Sequence[str] = ('unlabelled',)
    ) -> None:
        self.classes, self.suffix, self.unlabelled = classes, suffix, tuple(unlabelled)
        self._numbers: dict[str, int] | None = None

    def transform(self, results: dict) -> dict:
        """Return the sample with ``label``, ``(frames,)`` int64.

        Args:
            results: Sample with ``filename`` and ``frame_inds``.

        Raises:
            FileNotFoundError: A video has no such file.
            KeyError: No frames were sampled.
            ValueError: The file names an unknown class, or has fewer lines than the video has frames.
        """
        if 'frame_inds' not in results:
            raise WrongKeyError("LoadFrameLabels: got a sample without 'frame_inds'; expected it behind SampleFrames")
        file = Path(results['filename']).with_suffix(self.suffix)
        names = read_names(str(file), 'LoadFrameLabels')
        indices = np.asarray(results['frame_inds']).reshape(-1)
        if indices.max() >= len(names):
            raise WrongValueError(
                f'{file}: got {len(names)} lines, and frame {indices.max()} was sampled; expected a line for each frame'
            )
        results['label'] = np.array([self._number(names[index], file, index) for index in indices], dtype=np.int64)
        return results

    def _number(self, name: str, file: Path, index: int) -> int:
        if self._numbers is None:
            names = (
                read_names(self.classes, 'LoadFrameLabels.classes') if isinstance(self.classes, str) else self.classes
            )
            self._numbers = {each: number for number, each in enumerate(names)} | dict.fromkeys(self.unlabelled, -1)
        if name not in self._numbers:
            raise WrongValueError(
                f'{file}:{index + 1}: got the class {name[:60]!r}; expected one of {", ".join(self._numbers)}'[:400]
            )
        return self._numbers[name]
