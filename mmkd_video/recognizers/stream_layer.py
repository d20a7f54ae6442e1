"""Layers that remember earlier frames, and recognizers that see a clip frame by frame with what they remember."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class _Step:
    """One frame on its way through a layer: the layer's name, all states before and those after."""

    layer: str
    before: Mapping[str, Tensor]
    after: dict[str, Tensor]


class StreamLayer:
    """Mixin of an ``nn.Module`` that looks back in time, and never ahead.

    Given a whole clip, it looks back inside the clip. In a :func:`stream_step` it is given one frame, and finds what it
    needs of earlier ones with :meth:`recall`; whatever it needs of this one later, it must :meth:`remember`. Before the
    first frame all states are zeros, and the two ways must give the same.
    """

    _step: _Step | None = None

    @property
    def streams(self) -> bool:
        """Whether the layer is given one frame, with states."""
        return self._step is not None

    def recall(self, name: str, shape: Sequence[int], like: Tensor) -> Tensor:
        """Return what the layer kept of the frame before; zeros at the first.

        Args:
            name: Name of the state, one of this layer.
            shape: Its shape; the first dimension counts samples.
            like: Tensor of its type and device.
        """
        found = self._step.before.get(f'{self._step.layer}.{name}')
        return like.new_zeros(tuple(shape)) if found is None else found

    def remember(self, name: str, value: Tensor) -> None:
        """Keep something for the next frame.

        Args:
            name: Name of the state.
            value: Tensor of the shape that :meth:`recall` asks for.
        """
        self._step.after[f'{self._step.layer}.{name}'] = value


def stream_layers(model: nn.Module) -> dict[str, StreamLayer]:
    """Return the layers of a model that remember earlier frames, by name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, StreamLayer)}


@contextmanager
def stream_step(model: nn.Module, states: Mapping[str, Tensor] | None = None) -> Iterator[dict[str, Tensor]]:
    """Let a model see one frame and go on from what it remembers; the block runs the model once.

    Args:
        model: Recognizer, or any part.
        states: States that the frame before left, by name; None before the first.

    Yields:
        A dict that holds the states for the next frame, once the model has run.
    """
    layers, after = stream_layers(model), {}
    try:
        for name, layer in layers.items():
            layer._step = _Step(name, states or {}, after)
        yield after
    finally:
        for layer in layers.values():
            layer._step = None
