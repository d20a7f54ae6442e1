"""Addresses of local files: ``file:///path``, which no loader of MMEngine knows."""

from urllib.parse import urlparse
from urllib.request import url2pathname

from mmkd_video.compat.mistakes import WrongValueError


def without_scheme(name: str) -> str:
    """Return the path that a ``file://`` address means; any other path or address as it is.

    Args:
        name: Path or address.

    Raises:
        ValueError: The file would lie on another machine.
    """
    if not name.lower().startswith('file:'):
        return name
    parsed = urlparse(name)
    if parsed.netloc not in ('', 'localhost'):
        raise WrongValueError(
            f'{name!r} names a file on the machine {parsed.netloc!r}; expected file:///<absolute path>, or '
            'the path alone'
        )
    return url2pathname(parsed.path)
