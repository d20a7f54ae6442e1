"""Headings, anchors and links of a Markdown document, as GitHub reads them."""

import re
from collections.abc import Callable, Iterator

_CODE = r'^```.*?^```[^\n]*$|(?<!`)(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)'  # between as many back quotes
_PART = re.compile(rf'(?P<code>{_CODE})|\]\((?P<target>[^()\s]+)\)', flags=re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r'^```.*?^```[^\n]*$', flags=re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r'^(#{1,6}) +(.+?)\s*$', flags=re.MULTILINE)


def headings(text: str) -> list[tuple[int, str]]:
    """Return (level, text) of each heading.

    Args:
        text: The document.
    """
    return [(len(found[1]), found[2]) for found in _HEADING.finditer(_FENCE.sub('', text))]


def slug(heading: str) -> str:
    """Return the anchor of a heading.

    Args:
        heading: Its text.
    """
    shown = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', heading)
    return re.sub(r'[^\w\- ]', '', shown).lower().replace(' ', '-')


def anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings.

    Args:
        text: The document.
    """
    return {slug(heading) for _, heading in headings(text)}


def links(text: str) -> Iterator[tuple[str, str]]:
    """Yield (path, anchor) of each link that names no scheme; a link within the document has no path.

    Args:
        text: The document; what looks like a link in code is none.
    """
    for found in _PART.finditer(text):
        if found['target'] and not has_scheme(found['target']):
            path, _, anchor = found['target'].partition('#')
            yield path, anchor


def with_links(text: str, change: Callable[[str, str], str]) -> str:
    """Return a document with other links.

    Args:
        text: The document.
        change: Function of path and anchor of a link that names no scheme; it returns what stands in its place.
    """

    def replaced(found: re.Match) -> str:
        target = found['target']
        if target is None or has_scheme(target):
            return found[0]
        path, _, anchor = target.partition('#')
        return f']({change(path, anchor)})'

    return _PART.sub(replaced, text)


def sections(text: str) -> dict[str, str]:
    """Return a document's parts by their heading: what stands below ``# title``, then below each ``## heading``.

    Args:
        text: The document, which begins with its title.
    """
    blanked = _FENCE.sub(lambda found: ' ' * len(found[0]), text)
    starts = [found for found in _HEADING.finditer(blanked) if len(found[1]) <= 2]
    ends = [found.start() for found in starts[1:]] + [len(text)]
    return {found[2]: text[found.end() : end].strip() + '\n' for found, end in zip(starts, ends, strict=True)}


def has_scheme(target: str) -> bool:
    """Return whether a link leads elsewhere, as ``https://...`` does.

    Args:
        target: Text between its parentheses.
    """
    return re.match(r'[a-z][a-z+.-]*:', target) is not None
