"""Any module of PyTorch as the backbone of a recognizer."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from mmkd_video.core.checked import OneOf, Optional, Settings, Text, checked
from mmkd_video.core.mistakes import WrongTypeError, WrongValueError, name_of_kind
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.libraries.own_module import LAYOUTS
from mmkd_video.recognizers.weights import load_weights


@MODELS.register_module()
@checked(
    module=Text("'<module>:<function>'"),
    arguments=Optional(Settings('a dict of arguments of the function'), 'none'),
    output=Optional(Text("a name, 'logits'"), 'the result itself'),
    layout=OneOf(*LAYOUTS),
)
class ModuleBackbone(nn.Module):
    """A module that a function of the user returns. Configs name it; no file that is read does.

    Args:
        module: ``'<module>:<function>'``: where the function or class is that returns the ``nn.Module``.
        arguments: Arguments of the function.
        output: Key, attribute or place of the tensor in what the module returns, ``'logits'`` or ``'0'``; None: what it
            returns is the tensor.
        layout: Layout of its input, ``'NCTHW'`` or ``'NTCHW'``; or ``'frames'``, ``(N*T, C, H, W)``, whose answers are
            averaged over the frames of a clip.

    Raises:
        ValueError: There is no such function, or it fails.
        TypeError: It returns something else than a module.
    """

    def __init__(
        self,
        module: str,
        arguments: Mapping[str, Any] | None = None,
        output: str | None = None,
        layout: str = 'NCTHW',
    ) -> None:
        super().__init__()
        self.name, self.output, self.layout = module, output, layout
        try:
            self.net = _find(module)(**(arguments or {}))
        except TypeError as error:
            said = ' '.join(str(error).split())
            raise WrongValueError(f'module::{module}: its function does not take these arguments ({said})') from error
        if not isinstance(self.net, nn.Module):
            raise WrongTypeError(f'module::{module}: got {type(self.net).__name__}; expected a torch.nn.Module')

    def load_pretrained(self, path: str, head: nn.Module) -> None:
        """Load weights, completely or not at all.

        Args:
            path: Path or URL of the module's ``state_dict``, read with ``weights_only=True``.
            head: The recognizer's head, which has none.
        """
        load_weights(self.net, path)

    def forward(self, clips: Tensor) -> Tensor:
        """Return what the module says about clips.

        Args:
            clips: ``(N, C, T, H, W)``, normalised.

        Returns:
            ``(N, K)``.

        Raises:
            ValueError: It returns something else.
        """
        count = clips.shape[0]
        frames = clips if self.layout == 'NCTHW' else clips.transpose(1, 2)
        found = self._pick(self.net(frames.flatten(0, 1) if self.layout == 'frames' else frames))
        if self.layout == 'frames' and found.ndim == 2:
            found = found.unflatten(0, (count, -1)).mean(dim=1)
        if found.ndim != 2 or found.shape[0] != count:
            raise WrongValueError(
                f'module::{self.name}: got a tensor of shape {tuple(found.shape)} for {count} clips; expected '
                f"({count}, K) in layout 'NCTHW' and 'NTCHW', a row for each frame in layout 'frames'"
            )
        return found

    def _pick(self, found: Any) -> Tensor:
        name = self.output
        if name is None:
            picked = found
        elif isinstance(found, Mapping):
            picked = found.get(name)
        elif isinstance(found, Sequence):
            picked = found[int(name)] if name.isdecimal() and int(name) < len(found) else None
        else:
            picked = getattr(found, name, None)
        if not isinstance(picked, Tensor):
            keys = f' of {", ".join(map(str, found))}' if isinstance(found, Mapping) else ''
            raise WrongValueError(
                f'module::{self.name}: its result is a {type(found).__name__}{keys}; expected a tensor, or one '
                f'that output={name!r} names in it'
            )
        return picked


def _find(name: str) -> Callable[..., Any]:
    """Return the function that a config names; what importing it runs is the user's."""
    place, colon, rest = name.partition(':')
    if not colon or not place or not rest:
        raise WrongValueError(f"module::{name}: got no function; expected 'module::<module>:<function>'")
    try:
        found: Any = importlib.import_module(place)
    except Exception as error:  # a user's module may raise anything
        said = ' '.join(str(error).split())
        raise WrongValueError(
            f'module::{name}: importing {place!r} failed ({name_of_kind(error)}: {said}); expected one that '
            'Python finds, on PYTHONPATH'
        ) from error
    for part in rest.split('.'):
        found = getattr(found, part, None)
    if not callable(found):
        raise WrongValueError(f'module::{name}: {place} has no function {rest!r}; expected a function or a class')
    return found
