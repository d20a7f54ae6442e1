"""The batch norm whose output a tap reads."""

from collections.abc import Callable

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.families import SHORTCUTS
from mmkd_video.taps.path import TapPath
from mmkd_video.taps.recorder import ACTIVATIONS
from mmkd_video.taps.tap_set import find_module

__all__ = ['norm_before']


class _Trace:
    """A trace of one forward pass: which batch norm came last, and whether an activation followed it."""

    def __init__(self, path: TapPath) -> None:
        self.path = path
        self.calls = 0
        self.norm: nn.Module | None = None
        self.activated = False
        self.before_activation: nn.Module | None = None
        self.found: nn.Module | None = None
        self.found_activated = False

    def note_norm(self, module: nn.Module, *_: object) -> None:
        self.norm, self.activated = module, False

    def note_activation(self, *_: object) -> None:
        self.activated = True

    def note_own_activation(self, *_: object) -> None:
        self.before_activation = self.norm

    def note_end(self, *_: object) -> None:
        self.calls += 1
        if self.path.call in (None, self.calls):
            self.found = self.before_activation if self.path.pre else self.norm
            self.found_activated = self.activated and not self.path.pre


def norm_before(model: nn.Module, tap: str, side: str, run: Callable[[], object]) -> _BatchNorm:
    """Find the batch norm whose output a tap reads: the last one that runs before it.

    At the end of a residual block that is the norm of the main branch; norms of shortcuts (``downsample``) do not
    count, as in the authors' code of overhaul distillation (``get_bn_before_relu``).

    Args:
        model: A recognizer of MMAction2.
        tap: A tap before an activation, such as ``backbone.layer4:pre``.
        side: ``'student'`` or the teacher's name, for messages.
        run: Function that makes one forward pass of the model.

    Returns:
        The batch norm, 1-, 2- or 3-D.

    Raises:
        KeyError: The tap names no module.
        ValueError: No batch norm runs before it, or an activation stands between the two.
    """
    path = TapPath.parse(tap)
    module = find_module(model, path, side)
    trace, handles = _Trace(path), []
    for name, child in model.named_modules():
        if isinstance(child, _BatchNorm) and not set(name.split('.')) & set(SHORTCUTS):
            handles.append(child.register_forward_hook(trace.note_norm))
        if isinstance(child, ACTIVATIONS):
            handles.append(child.register_forward_hook(trace.note_activation))
    for child in module.modules():
        if isinstance(child, ACTIVATIONS):
            handles.append(child.register_forward_pre_hook(trace.note_own_activation))
    handles.append(module.register_forward_hook(trace.note_end))
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    if trace.found is None:
        raise WrongValueError(f'{side} tap {tap!r}: no batch norm runs before it, so it has no scale and shift')
    if trace.found_activated:
        raise WrongValueError(
            f'{side} tap {tap!r}: an activation follows the batch norm; read what stands before it: {tap + ":pre"!r}'
        )
    return trace.found
