"""Parts of the documentation that a program writes."""

from pathlib import Path

from mmkd_video.hooks.atomic_file import write_atomically


def update_section(path: str | Path, name: str, text: str) -> None:
    """Replace what stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``.

    Args:
        path: The document.
        name: Of the section.
        text: Its new content.

    Raises:
        ValueError: The document does not have both marks, once each and in this order.
    """
    path = Path(path)
    begin, end = f'<!-- begin {name} -->', f'<!-- end {name} -->'
    old = path.read_text(encoding='utf-8')
    if old.count(begin) != 1 or old.count(end) != 1 or old.index(begin) > old.index(end):
        raise ValueError(f'{path}: expected one {begin!r} and, after it, one {end!r}')
    head, tail = old[: old.index(begin) + len(begin)], old[old.index(end) :]
    write_atomically(f'{head}\n\n{text.strip()}\n\n{tail}'.encode(), path)
