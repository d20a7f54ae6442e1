"""One panel of a page: a heading, charts, tables, and what is missing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mmkd_video.workflows.report.chart import Chart
from mmkd_video.workflows.report.looks import Arm
from mmkd_video.workflows.report.markup import Markup, element, joined
from mmkd_video.workflows.report.svg import draw_svg, legend_mark

Entry = tuple[str, str, str]
"""Name, look and shape of something in a legend."""


@dataclass
class Panel:
    """A panel.

    Args:
        title: Heading.
        lead: Content before the charts.
        charts: Charts, beside each other where there is room.
        rest: Content after them.
        is_beside: Whether the rest stands beside the charts where there is room.
        missing: Reason why there is no such panel, in one line; it is then shown without anything else.
    """

    title: str
    lead: Markup = field(default_factory=Markup)
    charts: list[Chart] = field(default_factory=list)
    rest: Markup = field(default_factory=Markup)
    is_beside: bool = False
    missing: str | None = None

    def markup(self) -> Markup:
        """Return the panel as HTML."""
        heading = element('h3', self.title)
        if self.missing is not None:
            return element('section', heading, element('p', f'Left out: {self.missing}', class_='muted'))
        drawn = [_figure(chart) for chart in self.charts]
        grid = element('div', *drawn, class_='charts') if drawn else None
        if self.is_beside and drawn:
            sides = element('div', grid, element('div', self.rest), class_='beside')
            return element('section', heading, self.lead, sides)
        return element('section', heading, self.lead, grid, self.rest)


def paragraph(*parts: str, class_: str | None = None) -> Markup:
    """Return a paragraph; what is no markup is escaped."""
    return element('p', *parts, class_=class_)


def legend(entries: Sequence[Entry]) -> Markup:
    """Return signs with their names."""
    signs = (element('span', legend_mark(look, shape), name) for name, look, shape in dict.fromkeys(entries))
    return element('div', *signs, class_='legend')


def line_entries(arms: Sequence[Arm], has_goal: bool = False) -> list[Entry]:
    """Return a legend for lines of arms.

    Args:
        arms: Arms in the chart.
        has_goal: Whether the teacher is a dashed line in it.
    """
    found = [(arm.short, arm.look, 'line') for arm in arms]
    return [*found, ('teacher', 'teacher', 'dashed')] if has_goal else found


def counted(number: int, unit: str) -> str:
    """Return a number with its unit, such as ``1 seed`` or ``2 seeds``."""
    return f'{number} {unit}{"" if number == 1 else "s"}'


def _figure(chart: Chart) -> Markup:
    parts = [element('h4', chart.title), legend(chart.legend) if chart.legend else None, draw_svg(chart)]
    return element('figure', joined(parts), element('figcaption', chart.caption))
