"""Accuracy against latency of every model in every runtime."""

from collections.abc import Sequence

from mmkd_video.benchmark import DeploymentReport
from mmkd_video.benchmark.deployment import HEADER, Deployment
from mmkd_video.benchmark.picture import MARKERS, SPARE_MARKERS, assign_looks
from mmkd_video.workflows.compare.arms import ALONE, DISTILLED
from mmkd_video.workflows.report.chart import Axis, Chart, Dots
from mmkd_video.workflows.report.looks import COLORS, TEACHER, Arm
from mmkd_video.workflows.report.markup import element, joined, table
from mmkd_video.workflows.report.panel import Panel, paragraph

_SHAPES = {'o': 'circle', 's': 'square', 'D': 'diamond', '^': 'triangle', 'v': 'down', 'P': 'plus'}
_SPARE = [key for key in COLORS if key not in ('ink', 'teacher', 'alone', 'as-long')]


def deployment(report: DeploymentReport, arms: Sequence[Arm] = ()) -> Panel:
    """Return the panel of a deployment benchmark.

    Args:
        report: Its measurements.
        arms: Arms of the same part of the page, whose models keep their colours.
    """
    lines = [
        table([HEADER, *(each.cells(report.baseline(each.threads)) for each in report.deployments)], left=2),
        element(
            'ul',
            *(element('li', element('b', f'{key}: '), value) for key, value in report.facts.items()),
            class_='muted',
        ),
    ]
    drawn = [each for each in report.fastest() if None not in (each.accuracy, each.latency)]
    charts = [_chart(drawn, arms)] if drawn else []
    lead = [] if drawn else [paragraph('No model has an accuracy and a latency, so there is no picture.')]
    return Panel('Latency', joined(lead), charts, element('details', element('summary', 'All numbers'), *lines))


def _chart(drawn: Sequence[Deployment], arms: Sequence[Arm]) -> Chart:
    models = list(dict.fromkeys(each.model for each in drawn))
    runtimes = list(dict.fromkeys(each.runtime for each in drawn))
    shapes = {
        name: _SHAPES.get(marker, 'cross') for name, marker in assign_looks(runtimes, MARKERS, SPARE_MARKERS).items()
    }
    looks = looks_of_models(models, arms)
    dots = [
        Dots([(1e3 * each.latency, 100 * each.accuracy)], looks[each.model], shapes[each.runtime], is_large=True)
        for each in drawn
    ]
    entries = [(name, looks[name], 'line') for name in models] + [(name, 'ink', shapes[name]) for name in runtimes]
    return Chart(
        'latency',
        'Accuracy against latency',
        'Latency of one clip, ms (median, with the number of threads that suits best; logarithmic, left is faster); '
        f'top-1 on test, %. {len(drawn)} models in runtimes: colours tell models, shapes runtimes.',
        Axis('latency, ms', is_log=True),
        Axis('top-1, %'),
        (),
        dots,
        entries,
    )


def looks_of_models(models: Sequence[str], arms: Sequence[Arm]) -> dict[str, str]:
    """Return the colour of each model: teacher, alone and distilled have theirs of the whole page.

    Args:
        models: Names of the models.
        arms: Arms that have their colours already.
    """
    found = {TEACHER: TEACHER, ALONE: 'alone', **{arm.name: arm.look for arm in arms}}
    others = sorted((name for name in models if name not in found), key=lambda name: name != DISTILLED)
    free = [key for key in _SPARE if key not in found.values()] or _SPARE
    return found | {name: free[at % len(free)] for at, name in enumerate(others)}
