"""The syntax in which a config names a tap."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmkd_video.core.checked import invalid_setting
from mmkd_video.core.mistakes import WrongValueError

_PATTERN = re.compile(r'^(?P<module>[A-Za-z_]\w*(?:\.\w+)*)(?P<pre>:pre)?(?:#(?P<call>\d+))?(?P<items>(?:\[\d+\])*)$')


@dataclass(frozen=True)
class TapPath:
    """A parsed tap name.

    Attributes:
        text: The name as written.
        module: Alias (``logits``, ``pooled``, ...) or dotted module path inside the recognizer.
        pre: Whether it is the input of the last activation inside the module (``:pre``).
        call: Number of the call of a reused module, counted from 1 (``#n``); None for the only call.
        items: Indices into a tuple output, outermost first (``[i]``).
    """

    text: str
    module: str
    pre: bool = False
    call: int | None = None
    items: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> 'TapPath':
        """Parse ``module[:pre][#n][[i]...]``, for example ``backbone.layer3``, ``backbone[0]`` or ``neck.conv#2``.

        Raises:
            ValueError: ``text`` is not of that form.
        """
        match = _PATTERN.match(text) if isinstance(text, str) else None
        if match is None or match['call'] == '0':
            raise WrongValueError(
                f'tap {text!r} is not a tap name; expected module[:pre][#n][[i]], for example '
                "'logits', 'backbone.layer3', 'backbone.layer4:pre', 'backbone.conv#2' (second call), 'backbone[0]'"
            )
        return cls(
            text=text,
            module=match['module'],
            pre=match['pre'] is not None,
            call=int(match['call']) if match['call'] else None,
            items=tuple(int(item) for item in re.findall(r'\[(\d+)\]', match['items'])),
        )


def parse_pair(where: str, at: object) -> tuple[str, str]:
    """Read the taps of student and teacher: one name for both, a pair, or a dict.

    Args:
        where: Key that holds them, for the message.
        at: ``'logits'``, ``('backbone.conv2', 'backbone.layer4')`` or ``dict(student=..., teacher=...)``.

    Raises:
        ValueError: It has another form.
    """
    if isinstance(at, str) and at:
        return at, at
    if isinstance(at, Mapping) and set(at) == {'student', 'teacher'}:
        at = at['student'], at['teacher']
    if isinstance(at, Sequence) and len(at) == 2 and all(isinstance(name, str) for name in at):
        return at[0], at[1]
    expected = "a tap such as 'logits', a pair (student, teacher), or dict(student=..., teacher=...)"
    raise invalid_setting(where, at, expected)
