"""Features of a recognizer while it predicts."""

from collections.abc import Iterable

from torch import Tensor, nn

from mmkd_video.core.restoring import in_eval
from mmkd_video.taps.tap_set import TapSet


class FeatureReader:
    """Read whole features of samples at some taps, as a recognizer has them when it predicts.

    Args:
        model: A recognizer of MMAction2; it is run in eval mode and stays as it is.
        taps: Places, see :class:`TapPath`.
        side: ``'student'`` or the teacher's name, for messages.

    Raises:
        KeyError: A name points to no module; the message lists the nearest names.
        ValueError: A name is malformed.
    """

    def __init__(self, model: nn.Module, taps: Iterable[str], side: str) -> None:
        self._model, self._taps = model, TapSet(model, taps, side)
        self._tried = False

    def read(self, data: dict) -> dict[str, Tensor]:
        """Return the features of a batch of the recognizer's own validation pipeline.

        Args:
            data: Collated batch with ``inputs`` and ``data_samples``.

        Returns:
            ``(N, D)`` float32 by tap: a row for each sample, all its channels, places and clips side by side.

        Raises:
            ValueError: A tap does not fire once in a pass.
        """
        with in_eval(self._model):
            batch = self._model.data_preprocessor(data, False)
            if not self._tried:  # what a later layer overwrites is noticed afterwards, and cloned from then on
                self._run(batch)
                self._tried = True
            features = self._run(batch)
        samples = len(batch['data_samples'])
        return {tap: feature.reshape(samples, -1).float() for tap, feature in features.items()}

    def _run(self, batch: dict) -> dict[str, Tensor]:
        with self._taps.watch():
            features, extra = self._model.extract_feat(batch['inputs'], test_mode=True)
            self._model.cls_head(features, **extra)
        return self._taps.read(batch['inputs'])
