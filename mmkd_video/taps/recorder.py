"""Recorders: hooks on a module that keep a tensor of a step."""

from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.families import classifier_of

ACTIVATIONS = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.SiLU,
    nn.GELU,
    nn.Hardswish,
    nn.Sigmoid,
    nn.Tanh,
)


class OutputRecorder:
    """Keep the output of a module's n-th call.

    A later in-place operation (usually a ReLU) overwrites what a hook saw. Autograd counts such writes in the tensor's
    version, so the recorder notices it in the dry run and clones from then on; nobody else pays for a clone.

    Args:
        module: The module to watch.
        call: Number of the call to keep, counted from 1; None when the module must be called exactly once.
    """

    def __init__(self, module: nn.Module, call: int | None) -> None:
        self.call = call
        self.active = False
        self.clone = False
        self.calls = 0
        self.value: object = None
        self.source: object = None  # what goes on through the model: the value, or what it was cloned from
        self._version = 0
        module.register_forward_hook(self._note)

    def start(self) -> None:
        """Drop the last step and record the next one."""
        self.active, self.calls, self.value, self.source = True, 0, None, None

    def stop(self) -> None:
        """Stop recording: a recomputation during the backward pass is not a call."""
        self.active = False

    def notice_overwriting(self) -> None:
        """Clone from the next step on if the kept tensor was changed in place after it was recorded."""
        if isinstance(self.value, Tensor) and self.value._version != self._version:
            self.clone = True

    def _note(self, _module: nn.Module, _args: tuple, output: object) -> None:
        if not self.active:
            return
        self.calls += 1
        if self.call is None or self.calls == self.call:
            self.value = self.source = output
            if isinstance(output, Tensor):
                self.value = output.clone() if self.clone else output
                self._version = self.value._version


class PreActivationRecorder:
    """Keep the input of the last activation that is called inside a module, before it can be overwritten.

    An activation that works in place is let write elsewhere while a step is watched: that costs no copy. What is still
    overwritten is noticed in the dry run, as by :class:`OutputRecorder`, and cloned from then on.

    Args:
        module: The module to watch: an activation, a ConvModule, a residual block or a whole stage.
        call: Number of the call of ``module`` to keep, counted from 1; None when it must be called exactly once.

    Raises:
        ValueError: No activation module lives inside ``module``.
    """

    def __init__(self, module: nn.Module, call: int | None) -> None:
        activations = [child for child in module.modules() if isinstance(child, ACTIVATIONS)]
        if not activations:
            raise WrongValueError('no activation module (ReLU, SiLU, GELU, ...) lives inside it')
        self.call = call
        self.active = False
        self.calls = 0
        self.value: object = None
        self._seen = 0
        self._last: int | None = None  # which activation call is the last one; learnt in the first step
        self._pending: tuple[Tensor | None, Tensor | None] = None, None
        self.source: object = None
        self._version = 0
        self._clone = False
        self._in_place: list[nn.Module] = []
        for activation in activations:
            activation.register_forward_pre_hook(self._note_activation)
        module.register_forward_hook(self._note_end)

    def start(self) -> None:
        """Drop the last step and record the next one."""
        self.active, self.calls, self._seen = True, 0, 0
        self.value, self.source, self._pending = None, None, (None, None)

    def stop(self) -> None:
        """Stop recording, and let activations work as before."""
        self.active, self._pending = False, (None, None)
        while self._in_place:
            self._in_place.pop().inplace = True

    def notice_overwriting(self) -> None:
        """Clone from the next step on if the kept tensor was changed in place after it was recorded."""
        if isinstance(self.value, Tensor) and self.value._version != self._version:
            self._clone = True

    def _note_activation(self, module: nn.Module, args: tuple) -> None:
        if not self.active:
            return
        self._seen += 1
        if self._last is None or self._seen == self._last:
            if getattr(module, 'inplace', False):
                module.inplace = False
                self._in_place.append(module)
            kept = args[0].clone() if self._clone else args[0]
            self._pending, self._version = (kept, args[0]), kept._version

    def _note_end(self, _module: nn.Module, _args: tuple, _output: object) -> None:
        if not self.active:
            return
        self.calls += 1
        self._last, self._seen = self._seen, 0
        if self.call is None or self.calls == self.call:
            self.value, self.source = self._pending
        self._pending = None, None


class PooledRecorder:
    """Keep the input of the first dropout or linear layer that a head calls: its pooled feature, before dropout.

    Args:
        head: A classification head of MMAction2.

    Raises:
        ValueError: The head has neither.
    """

    def __init__(self, head: nn.Module) -> None:
        layers = [child for child in head.modules() if isinstance(child, (nn.Dropout, nn.Linear))]
        if not layers:
            raise WrongValueError('the head has neither a dropout nor a linear layer')
        self.call = None
        self.active = False
        self.calls = 0
        self.value: object = None
        self.source: object = None
        for layer in layers:
            layer.register_forward_pre_hook(self._note)

    def start(self) -> None:
        """Drop the last step and record the next one."""
        self.active, self.calls, self.value, self.source = True, 0, None, None

    def stop(self) -> None:
        """Stop recording."""
        self.active = False

    def notice_overwriting(self) -> None:
        """Do nothing: neither dropout nor linear layers of heads work in place."""

    def _note(self, _module: nn.Module, args: tuple) -> None:
        if self.active and self.calls == 0:
            self.calls, self.value, self.source = 1, args[0], args[0]


class ClassMapRecorder:
    """Keep the class activation maps of a head: its classifier, without bias, at every place of the map it reads.

    Args:
        head: A classification head of MMAction2 that pools a map and ends in the linear layer ``fc_cls``.

    Raises:
        ValueError: It has no such layer.
    """

    def __init__(self, head: nn.Module) -> None:
        classifier = classifier_of(head)
        if classifier is None:
            raise WrongValueError(f'{type(head).__name__} has no single linear layer fc_cls to apply at every place')
        self.call = None
        self.active = False
        self.calls = 0
        self.value: object = None
        self.source: object = None
        self._classifier = classifier
        head.register_forward_pre_hook(self._note)

    def start(self) -> None:
        """Drop the last step and record the next one."""
        self.active, self.calls, self.value, self.source = True, 0, None, None

    def stop(self) -> None:
        """Stop recording."""
        self.active = False

    def notice_overwriting(self) -> None:
        """Do nothing: the maps are computed at once."""

    def _note(self, head: nn.Module, args: tuple) -> None:
        if not self.active:
            return
        feature, weight = args[0], self._classifier.weight
        if not isinstance(feature, Tensor) or feature.ndim not in (4, 5) or feature.shape[1] != weight.shape[1]:
            got = tuple(feature.shape) if isinstance(feature, Tensor) else type(feature).__name__
            raise WrongValueError(
                f"tap 'cam': {type(head).__name__} reads {got}, expected one map of {weight.shape[1]} channels; "
                'its classifier cannot be applied at every place'
            )
        self.calls, self.source = self.calls + 1, feature
        self.value = (weight @ feature.flatten(2)).unflatten(2, feature.shape[2:])


Recorder = OutputRecorder | PreActivationRecorder | PooledRecorder | ClassMapRecorder
