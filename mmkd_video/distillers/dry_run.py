"""One forward pass on noise, to find the shape of every feature before training starts."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from torch import Tensor

from mmkd_video.core.checked import AnyOf, Settings, nearest
from mmkd_video.recognizers.size import SIZE

SIZES = AnyOf(SIZE, Settings('a dict of these by side'))


def check_sides(asked: object, sides: Sequence[str]) -> None:
    """See that sizes are given for models that there are.

    Args:
        asked: ``input_size`` of the Distiller.
        sides: ``'student'`` and the names of the teachers.

    Raises:
        KeyError: Another name.
    """
    for side in asked if isinstance(asked, Mapping) else ():
        if side not in sides:
            hint = nearest(side, sides) or 'take it out'
            raise KeyError(f'input_size: got the unknown key {side!r}; expected {", ".join(sides)}; {hint}')


@contextmanager
def explain_failure(side: str, size: tuple[int, int, int]) -> Iterator[None]:
    """Turn whatever a model says about a wrong size into one line that names ``input_size``.

    Raises:
        ValueError: The block failed inside the model.
    """
    try:
        yield
    except (RuntimeError, AssertionError, IndexError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f'the dry run of the {side} on {size[0]} frames of {size[1]}x{size[2]} failed: {reason}; '
            f'set input_size=dict({side}=(frames, height, width)) to what it is trained on'
        ) from error


@contextmanager
def explain_view(name: str, view: Tensor) -> Iterator[None]:
    """Turn whatever a teacher says about clips that do not fit it into one line that names ``DistillViews``.

    Raises:
        ValueError: The block failed inside the teacher.
    """
    try:
        yield
    except (RuntimeError, AssertionError, IndexError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f'{name} cannot take clips of shape {tuple(view.shape)}: {reason}; give it a view of its own with '
            'DistillViews(student=<pipeline>, teacher=<config>), or another size'
        ) from error
