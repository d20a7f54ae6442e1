"""Parts of the documentation that a program writes."""

from pathlib import Path

from mmkd_video.core.files.atomic import write_atomically


def update_section(path: str | Path, name: str, text: str) -> None:
    """Replace what stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``.

    Args:
        path: Path of the document.
        name: Name of the section.
        text: New content of the section.

    Raises:
        ValueError: The document does not have both marks, once each and in this order.
    """
    path = Path(path)
    write_atomically(with_section(path.read_text(encoding='utf-8'), path, name, text).encode(), path)


def with_section(document: str, path: str | Path, name: str, text: str) -> str:
    """Return a document with another section; see :func:`update_section`.

    Args:
        document: Text of the document.
        path: Path of the document, for the message.
        name: Name of the section.
        text: New content of the section.

    Raises:
        ValueError: The document does not have both marks, once each and in this order.
    """
    begin, end = f'<!-- begin {name} -->', f'<!-- end {name} -->'
    if document.count(begin) != 1 or document.count(end) != 1 or document.index(begin) > document.index(end):
        raise ValueError(f'{path}: expected one {begin!r} and, after it, one {end!r}')
    head, tail = document[: document.index(begin) + len(begin)], document[document.index(end) :]
    return f'{head}\n\n{text.strip()}\n\n{tail}'
