"""Refusing NaN and infinity without making an accelerator wait."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError

__all__ = ['FiniteWatch']

REMEDIES = {
    'teacher': 'check its checkpoint, its normalisation and whether it needs float32 (AMP)',
    'student': 'lower the learning rate, clip gradients or train in float32',
}


class FiniteWatch:
    """Check the inputs and the value of a loss; the error names the first tensor that holds NaN or infinity.

    The sum of a tensor is finite only if all of it is. On a CPU the sums are read at once. On CUDA reading them would
    make the host wait for the device in every step, so they travel beside the computation and are read at the next
    call: the error comes one step later. Inside ``torch.compile`` nothing is looked at.

    A student in float16 may overflow: gradient scaling skips such a step, so neither it nor the value is refused then.
    """

    def __init__(self) -> None:
        self._noted: list[tuple[str, tuple, Tensor]] = []
        self._excused = False
        self._sent: tuple | None = None

    def __deepcopy__(self, memo: dict) -> 'FiniteWatch':
        """Return a new one: what was noted belongs to the step of the original."""
        return FiniteWatch()

    def __reduce__(self) -> tuple:
        return FiniteWatch, ()

    def inputs(self, loss: nn.Module, named: Mapping[str, Tensor], may_overflow: bool) -> None:
        """Check the inputs of a call.

        Args:
            loss: The loss, for the message.
            named: Floating point tensors of any shape by name, the most suspect first.
            may_overflow: The student was computed in float16.

        Raises:
            ValueError: One of them is not finite.
        """
        if torch.compiler.is_compiling():
            return
        self._read(loss)
        self._excused = may_overflow
        self._noted = []
        for name, tensor in named.items():
            self._look(loss, name, tensor)

    def value(self, loss: nn.Module, value: Tensor) -> None:
        """Check the scalar that a call returns.

        Raises:
            ValueError: It is not finite, although all inputs are.
        """
        if torch.compiler.is_compiling():
            return
        self._look(loss, 'loss', value)
        if self._noted:
            self._sent = self._send(torch.stack([total for *_, total in self._noted]))

    def _look(self, loss: nn.Module, name: str, tensor: Tensor) -> None:
        tensor = tensor.detach()
        shape = tuple(tensor.shape)
        if self._waits_for(tensor):
            self._noted.append((name, shape, tensor.sum(dtype=torch.float64)))
        elif not (tensor.sum().isfinite() or tensor.isfinite().all()):
            self._refuse(loss, name, shape, when='')

    def _read(self, loss: nn.Module) -> None:
        if self._sent is None:
            return
        totals, arrival = self._sent
        self._sent = None
        arrival.synchronize()
        for (name, shape, _), total in zip(self._noted, totals.tolist(), strict=True):
            if not math.isfinite(total):
                self._refuse(loss, name, shape, when=' in the step before')

    def _waits_for(self, tensor: Tensor) -> bool:
        return tensor.device.type == 'cuda'

    def _send(self, totals: Tensor) -> tuple:
        """Copy to the host beside the computation; return the copy and the event that marks its end."""
        host = torch.empty(totals.shape, dtype=totals.dtype, pin_memory=True)
        host.copy_(totals, non_blocking=True)
        arrival = torch.cuda.Event()
        arrival.record()
        return host, arrival

    def _refuse(self, loss: nn.Module, name: str, shape: tuple, when: str) -> None:
        kind = type(loss).__name__
        if self._excused and (name == 'loss' or name.startswith('student')):
            return
        if name != 'loss':
            remedy = REMEDIES.get(name.split()[0], 'check where it comes from')
            raise WrongValueError(f'{kind}: got {name} of shape {shape} with NaN or infinity{when}; {remedy}')
        learned = [key for key, tensor in loss.named_parameters() if not tensor.isfinite().all()]
        cause = f'its learned {learned[0]!r} holds NaN or infinity' if learned else 'its arguments are too extreme'
        raise WrongValueError(
            f'{kind}: the value is not finite{when}, although its inputs are: {cause}; {REMEDIES["student"]}'
        )
