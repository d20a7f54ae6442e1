"""Taps of a student that runs twice in a step, on attacked clips and on clean ones."""

from collections.abc import Iterable

from torch import Tensor, nn

from mmkd_video.recognizers.input_form import Inputs
from mmkd_video.taps import Place, TapSet

CLEAN, ATTACKED = 'clean.', 'attacked.'


class TwoPassTaps(TapSet):
    """Read ``<tap>`` and ``clean.<tap>`` of the pass that was watched last; who runs both passes keeps them apart.

    Args:
        model: The student.
        names: Names of taps, some of which may begin with ``clean.``.
        side: ``'student'``, for messages.

    Raises:
        KeyError: A name points to no module.
        ValueError: A name is malformed.
    """

    def __init__(self, model: nn.Module, names: Iterable[str], side: str) -> None:
        names = list(dict.fromkeys(names))
        super().__init__(model, [name.removeprefix(CLEAN) for name in names], side)
        self.names = names

    def read(self, inputs: Inputs, places: dict[str, Place] | None = None) -> dict[str, Tensor]:
        """Return the tensors of the last watched pass, under both names; see :meth:`TapSet.read`."""
        own: dict[str, Place] = {}
        found = super().read(inputs, own)
        if places is not None:
            places.update({name: own[name.removeprefix(CLEAN)] for name in self.names})
        return {name: found[name.removeprefix(CLEAN)] for name in self.names}
