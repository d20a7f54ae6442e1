"""HTML that is safe by construction: every text is escaped unless it is markup already."""

from collections.abc import Iterable, Sequence
from html import escape

VOID = {'img', 'meta', 'source', 'br', 'hr'}


class Markup(str):
    """Text that is HTML; any other text is escaped when it gets into an element."""

    __slots__ = ()


def element(name: str, *children: str | None, **attributes: str | int | float | bool | None) -> Markup:
    """Return an element.

    Args:
        name: Its name, a literal of the caller.
        children: Its content; text that is no :class:`Markup` is escaped, None is left out.
        attributes: Its attributes; a trailing underscore is dropped (``class_``), other ones become hyphens. None and
            False are left out, True stands without a value.
    """
    written = ''.join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f'<{name}{written}>')
    return Markup(f'<{name}{written}>{joined(children)}</{name}>')


def joined(parts: Iterable[str | None]) -> Markup:
    """Return parts one after the other; text that is no :class:`Markup` is escaped, None is left out."""
    return Markup(''.join(each if isinstance(each, Markup) else escape(each) for each in parts if each is not None))


def table(rows: Sequence[Sequence[str]], left: int = 1) -> Markup:
    """Return a table in a box of its own, which scrolls where the page is too narrow.

    Args:
        rows: Cells of each row, the head first.
        left: Number of columns that are aligned to the left; the others, numbers, are aligned to the right.
    """
    head, *body = rows
    lines = [element('tr', *(_cell('th', cell, number < left, 'col') for number, cell in enumerate(head)))]
    filled = [element('tr', *(_body_cell(cell, number, left) for number, cell in enumerate(row))) for row in body]
    grid = element('table', element('thead', *lines), element('tbody', *filled))
    return element('div', grid, class_='box', tabindex=0)


def _body_cell(cell: str, number: int, left: int) -> Markup:
    return _cell('td' if number else 'th', cell, number < left, None if number else 'row')


def _cell(name: str, cell: str, is_left: bool, scope: str | None) -> Markup:
    return element(name, cell, class_=None if is_left else 'number', scope=scope)


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    if value is None or value is False:
        return ''
    name = key.rstrip('_').replace('_', '-')
    return f' {name}' if value is True else f' {name}="{escape(str(value))}"'
