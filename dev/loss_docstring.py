"""The parts of a loss's docstring, in markdown."""

import inspect
import re
from dataclasses import dataclass

_ORIGIN = re.compile(r'(?:^|(?<=\s))(?=Source: |Ours[.,: ])')
_SECTION = re.compile(r'^(Args|Raises|Attributes|Returns):$', re.MULTILINE)


@dataclass(frozen=True)
class LossDocstring:
    """The parts of a docstring.

    Args:
        title: Name of the method in the module's docstring.
        summary: The first paragraph.
        body: The formula and what follows it; may be empty.
        origin: Paper, code and differences from it, or that it is ours.
        parameters: Name, default (None where there is none) and meaning of each argument.
    """

    title: str
    summary: str
    body: str
    origin: str
    parameters: list[tuple[str, str | None, str]]

    @classmethod
    def of(cls, loss_class: type) -> 'LossDocstring':
        """Read the docstring of a class.

        Raises:
            ValueError: It has no summary, says nothing of its origin, or leaves out an argument.
        """
        name, text = loss_class.__name__, inspect.getdoc(loss_class) or ''
        head, *sections = _SECTION.split(text)
        found = dict(zip(sections[::2], sections[1::2], strict=True))
        prose, *origin = _ORIGIN.split(head.strip(), maxsplit=1)
        if not origin:
            raise ValueError(f"{name}: its docstring has no sentence that begins with 'Source: ' or 'Ours'")
        summary, _, body = prose.strip().partition('\n\n')
        described = _arguments(found.get('Args', ''))
        taken = inspect.signature(loss_class).parameters.values()
        missing = [each.name for each in taken if each.name not in described]
        if missing or not summary:
            raise ValueError(f'{name}: its docstring leaves out {", ".join(missing) or "the summary"}')
        parameters = [
            (each.name, None if each.default is each.empty else repr(each.default), described[each.name])
            for each in taken
        ]
        title = (inspect.getdoc(inspect.getmodule(loss_class)) or name).splitlines()[0].rstrip('.')
        return cls(title, _markdown(summary), _markdown(body), _linked(_markdown(origin[0])), parameters)


def page_name(loss_class: type) -> str:
    """Return the name of a loss's page, that of its module."""
    return loss_class.__module__.rpartition('.')[2]


def _arguments(text: str) -> dict[str, str]:
    """Return the meaning of each argument from the indented lines of an ``Args`` section."""
    found: dict[str, str] = {}
    for line in inspect.cleandoc(text).splitlines():
        name, colon, meaning = line.partition(': ')
        if colon and name.lstrip('*').isidentifier():
            found[name.lstrip('*')] = meaning
        elif found:
            found[list(found)[-1]] += f' {line.strip()}'
    return {name: _markdown(meaning.strip()) for name, meaning in found.items()}


def _markdown(text: str) -> str:
    """Return reStructuredText as markdown, each paragraph on one line."""
    import mmkd_video.losses as losses

    def linked(match: re.Match) -> str:
        other = getattr(losses, match[1].rpartition('.')[2], None)
        return f'`{match[1]}`' if other is None else f'[{match[1]}]({page_name(other)}.md)'

    paragraphs = [' '.join(paragraph.split()) for paragraph in text.strip().split('\n\n')]
    text = '\n\n'.join(paragraph for paragraph in paragraphs if paragraph)
    text = re.sub(r':class:`~?([\w.]+)`', linked, text)
    return re.sub(r':\w+:`([^`]+)`', r'`\1`', text).replace('``', '`')


def _linked(text: str) -> str:
    """Return the text with repositories and addresses as links."""
    text = re.sub(r'\bcode ([\w-]+/[\w.-]+\w)', r'code [\1](https://github.com/\1)', text)
    return re.sub(r'(?<![(<])(https://[^\s,;)]*[\w/])', r'<\1>', text)
