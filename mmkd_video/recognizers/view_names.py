"""Names of the views of one sample, as configs give them."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmkd_video.core.mistakes import WrongValueError

PRESENT = 'present'
"""Key beside the views of a sample: which of them are there, ``(V,)`` of 0 and 1."""


def check_view_names(where: str, names: Sequence[Any]) -> None:
    """Check the names of the views of one sample.

    Args:
        where: Name of the setting, for the message.
        names: The names.

    Raises:
        ValueError: There is none, or one that cannot name a module.
    """
    if not names:
        raise WrongValueError(f'{where}: got no view; expected a dict of some by name, such as dict(rgb=..., flow=...)')
    for name in names:
        if not isinstance(name, str) or not name.isidentifier() or name == PRESENT:
            raise WrongValueError(
                f'{where}: got a view named {name!r}; expected a name of letters, digits and underscores other than '
                f'{PRESENT!r}'
            )


def _name_of(item: tuple[str, Any]) -> str:
    return item[0]


def resolve_shared(where: str, views: Mapping[str, Any]) -> dict[str, str]:
    """Return whose part each view uses: its own, or that of the view whose name stands in its place.

    The views come in the order of their names. That of a config would not do: MMEngine sorts keys where it writes one.

    Args:
        where: Name of the setting, for the message.
        views: Settings by name of the view; a text is the name of another view.

    Raises:
        ValueError: A view names one that does not exist, or one that names another itself.
    """
    check_view_names(where, list(views))
    owners = {name: each if isinstance(each, str) else name for name, each in sorted(views.items(), key=_name_of)}
    own = [name for name, owner in owners.items() if owner == name and not isinstance(views[name], str)]
    for name, owner in owners.items():
        if owner not in own:
            raise WrongValueError(
                f'{where}.{name}: got {owner!r}; expected settings of its own, or the name of a view that has some: '
                f'{", ".join(own) or "none has"}'
            )
    return owners
