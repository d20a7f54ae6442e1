"""The page: one part for each work dir, panels in them, and nothing that is fetched from elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mmkd_video.core.version import __version__
from mmkd_video.workflows.report.chart import Chart
from mmkd_video.workflows.report.markup import Markup, element, joined
from mmkd_video.workflows.report.panel import Panel
from mmkd_video.workflows.report.style import style_sheet

GENERATOR = 'mmkd report'
SIGNATURE = f'<meta name="generator" content="{GENERATOR}">'.encode()
"""Bytes near the beginning of a page that this tool wrote, which it may replace."""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # no script, and nothing from the network


@dataclass
class Part:
    """What is said about one work dir.

    Args:
        title: Heading.
        panels: Its panels.
        command: Command that made it; empty where it is not known.
        problems: Files that could not be read, each with the reason in one line.
    """

    title: str
    panels: Sequence[Panel]
    command: str = ''
    problems: list[str] = field(default_factory=list)

    @property
    def charts(self) -> list[Chart]:
        """All charts."""
        return [chart for panel in self.panels if panel.missing is None for chart in panel.charts]


def page(parts: Sequence[Part]) -> bytes:
    """Return the page.

    Args:
        parts: Its parts.
    """
    title = 'Distillation report'
    head = element(
        'head',
        element('meta', charset='utf-8'),
        Markup(SIGNATURE.decode()),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        element('meta', name_='viewport', content='width=device-width, initial-scale=1'),
        element('title', title),
        Markup(f'<style>{style_sheet()}</style>'),
    )
    links = [element('li', element('a', part.title, href=f'#part-{at}')) for at, part in enumerate(parts)]
    header = element('header', element('h1', title), element('ul', *links) if len(links) > 1 else None)
    content = element('main', *(_part(part, f'part-{at}') for at, part in enumerate(parts)))
    footer = element('footer', f'Written by {GENERATOR}, mmkd_video {__version__}.', class_='muted')
    whole = element('html', head, element('body', header, content, footer), lang='en')
    return b'<!doctype html>\n' + whole.encode('utf-8', 'replace') + b'\n'


def _part(part: Part, anchor: str) -> Markup:
    parts = [element('h2', part.title, id=anchor), *(panel.markup() for panel in part.panels)]
    if part.problems:
        lines = [element('li', problem) for problem in dict.fromkeys(part.problems)]
        parts.append(element('section', element('h3', 'Not in this page'), element('ul', *lines, class_='problems')))
    if part.command:
        parts.append(element('section', element('h3', 'Command'), element('pre', part.command, tabindex=0)))
    return joined(parts)
