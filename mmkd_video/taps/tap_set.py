"""All taps of one recognizer."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from mmkd_video.core.layouts import layout_of
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.recognizers.families import OUTLETS, input_kind
from mmkd_video.recognizers.input_form import Inputs, count_clips
from mmkd_video.taps.layout import (
    class_scores,
    keeps_batch_second,
    keeps_channels_last,
    neck_feature,
    pick_item,
    to_canonical,
    to_vector,
)
from mmkd_video.taps.path import TapPath
from mmkd_video.taps.recorder import ClassMapRecorder, OutputRecorder, PooledRecorder, PreActivationRecorder, Recorder


@dataclass(frozen=True)
class Place:
    """The tensors of a tap in the graph of a step.

    Attributes:
        read: The tensor that the tap hands out, before it is laid out.
        passed: The tensor that goes on through the model; another one only where the tap had to clone.
    """

    read: Tensor
    passed: Tensor


ALIASES = {
    'logits': 'cls_head',
    'frame_logits': 'cls_head.fc_cls',
    'pooled': 'cls_head',
    'cam': 'cls_head',
    'distilled': 'cls_head.distillation',
}


def target_of(path: TapPath) -> str:
    """Return the dotted path of the module that a tap stands at."""
    return ALIASES.get(path.module) or OUTLETS.get(path.module, path.module)


def find_module(model: nn.Module, path: TapPath, side: str) -> nn.Module:
    """Return the module that a tap names.

    Args:
        model: A recognizer of MMAction2.
        path: The tap.
        side: ``'student'`` or the teacher's name, for messages.

    Raises:
        KeyError: There is none; the message lists the nearest names.
    """
    modules = dict(model.named_modules())
    target = target_of(path)
    if target in modules and target:
        return modules[target]
    if target == 'neck':
        raise WrongKeyError(
            f'{side} tap {path.text!r}: {type(model).__name__} has no neck; tap its backbone or a stage of it'
        )
    known = [*ALIASES, *(name for name in modules if name)]
    nearest = difflib.get_close_matches(path.module, known, n=5, cutoff=0.3)
    raise WrongKeyError(
        f'{side} tap {path.text!r} names no module of {type(model).__name__}; '
        f'nearest names: {", ".join(nearest) or ", ".join(list(ALIASES))}'
    )


class TapSet:
    """Read tensors at named places of a recognizer, in canonical layout.

    The hooks are registered once and do nothing unless :meth:`watch` is open, so validation, export and the
    recomputation of activation checkpointing pass unseen.

    Args:
        model: A recognizer of MMAction2.
        names: Tap names, see :class:`TapPath`.
        side: ``'student'`` or the teacher's name, for messages.

    Raises:
        KeyError: A name points to no module; the message lists the nearest names.
        ValueError: A name is malformed, or ``:pre`` is asked of a module without activation or of an alias.
    """

    def __init__(self, model: nn.Module, names: Iterable[str], side: str) -> None:
        self.side = side
        self._model = model
        self._called: list[str] | None = None  # modules that the first watched step ran through, in order
        self.paths = {name: TapPath.parse(name) for name in dict.fromkeys(names)}
        self.names = list(self.paths)  # under which they are read
        self._recorders: dict[str, Recorder] = {}
        self._channels_last: dict[str, bool] = {}
        self._batch_second: dict[str, bool] = {}
        self._kind = input_kind(model)
        for name, path in self.paths.items():
            module = find_module(model, path, side)
            self._channels_last[name] = keeps_channels_last(model, target_of(path), path.pre)
            self._batch_second[name] = keeps_batch_second(model, target_of(path))
            self._recorders[name] = self._recorder_at(module, path)
            if hasattr(module, 'expect_reading'):
                module.expect_reading()

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Record the tensors at the taps while the block runs."""
        for recorder in self._recorders.values():
            recorder.start()
        try:
            with self._noting_calls():
                yield
        finally:
            for recorder in self._recorders.values():
                recorder.stop()

    @contextmanager
    def _noting_calls(self) -> Iterator[None]:
        """Note in the first step, the dry run, which modules are called; messages name some of them."""
        if self._called is not None:
            yield
            return
        self._called = []
        handles = [
            module.register_forward_hook(lambda _module, _inputs, _output, name=name: self._called.append(name))
            for name, module in self._model.named_modules()
            if name
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _called_like(self, target: str) -> list[str]:
        """Return the last modules called in the same part of the model, a stage rather than a layer within one."""
        part = target.partition('.')[0]
        found = [name for name in dict.fromkeys(self._called or ()) if name.startswith(f'{part}.')]
        fewest = min((name.count('.') for name in found), default=0)
        return [name for name in found if name.count('.') == fewest][-5:]

    def read(self, inputs: Inputs, places: dict[str, Place] | None = None) -> dict[str, Tensor]:
        """Return the tensors of the last watched step.

        Args:
            inputs: The recognizer's inputs of that step.
            places: Filled with the places of the taps, where gradients can be measured.

        Returns:
            Tap name to feature in canonical layout.

        Raises:
            ValueError: A tap did not fire, fired another number of times than its name says, or cannot be laid out.
        """
        clips = count_clips(inputs, self._kind)
        return {name: self._read_one(name, clips, places) for name in self.paths}

    def _read_one(self, name: str, clips: int, places: dict[str, Place] | None) -> Tensor:
        path, recorder = self.paths[name], self._recorders[name]
        self._check_calls(name, path, recorder)
        recorder.notice_overwriting()
        value, source, recorder.value, recorder.source = recorder.value, recorder.source, None, None
        if path.module == 'neck' and not path.items:
            value, source = neck_feature(value), neck_feature(source)
        if path.module == 'logits' and not path.items:
            value, source = class_scores(value), class_scores(source)
        try:
            picked = pick_item(value, path.items, name)
            feature = to_canonical(picked, clips, self._channels_last[name], self._kind, self._batch_second[name])
        except ValueError as error:
            raise WrongValueError(f'{self.side} tap {name!r}: {error}') from None
        if places is not None:
            passed = pick_item(source, path.items, name)
            places[name] = Place(passed if path.module == 'cam' else picked, passed)
        if path.module == 'pooled':
            return to_vector(feature)
        if path.module == 'frame_logits' and layout_of(feature.shape) != 'tokens':
            raise WrongValueError(
                f'{self.side} tap {name!r}: this head averages its frames before it classifies, so it has no logits '
                "per frame; use 'logits'"
            )
        return feature

    def _check_calls(self, name: str, path: TapPath, recorder: Recorder) -> None:
        if recorder.calls == 0:
            others = ', '.join(self._called_like(target_of(path)))
            raise WrongValueError(
                f'{self.side} tap {name!r} never fired: the module exists but is not called in a training step; '
                f'tap a module that the forward pass runs through{others and f", such as {others}"}'
            )
        if path.call is None and recorder.calls > 1:
            raise WrongValueError(
                f'{self.side} tap {name!r}: the module is called {recorder.calls} times in a step; '
                f"say which call, for example '{name}#1'"
            )
        if path.call is not None and recorder.calls < path.call:
            raise WrongValueError(
                f'{self.side} tap {name!r}: call #{path.call} was asked for, but the module is called '
                f'{recorder.calls} times in a step'
            )

    def _recorder_at(self, module: nn.Module, path: TapPath) -> Recorder:
        try:
            if path.module in ALIASES and path.pre:
                raise WrongValueError(
                    f"{path.module!r} is not a module with an activation inside; leave ':pre' out, or name the module"
                )
            if path.module == 'pooled':
                return PooledRecorder(module)
            if path.module == 'cam':
                return ClassMapRecorder(module)
            return PreActivationRecorder(module, path.call) if path.pre else OutputRecorder(module, path.call)
        except ValueError as error:
            raise WrongValueError(f'{self.side} tap {path.text!r}: {error}') from None
