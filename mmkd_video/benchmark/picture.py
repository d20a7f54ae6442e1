"""Accuracy against latency, as a picture."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmkd_video.benchmark.deployment import Deployment
from mmkd_video.benchmark.deployment_report import DeploymentReport
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.mistakes import WrongValueError

LABEL_OFFSETS = [9, -18, 23, -32]
EDGE_POINTS = 4  # points between a name and the edge of the axes
# Each runtime and model of tools/compress.py looks alike in every picture; others take what is left, by name.
MARKERS = {
    'eager': 'o', 'compile': 's', 'onnxruntime': 'D', 'openvino': '^', 'openvino bf16': 'v', 'openvino int8': 'P',
}  # fmt: skip
SPARE_MARKERS = 'X*<>hp'
COLORS = {  # as different as can be for all eyes, and dark enough for words on white
    'teacher': '#33669a', 'student alone': '#cc3311', 'student distilled': '#1b7a2f', 'student pruned': '#8a6a00',
    'student int8': '#882255',
}  # fmt: skip
SPARE_COLORS = ('#007788', '#332288', '#aa3377', '#555555', '#6b4423')


def draw_deployments(report: DeploymentReport, path: str | Path) -> Path:
    """Draw each model in each runtime: latency to the right (logarithmic), accuracy upwards.

    Colours tell models, shapes tell runtimes; the fastest runtime of each model carries its name. Each runs with the
    number of threads that suits it best.

    Args:
        report: Measurements, with accuracies.
        path: Path of the picture, such as ``.png`` or ``.svg``.

    Returns:
        The path.

    Raises:
        ValueError: No line has both.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    drawn = [each for each in report.fastest() if None not in (each.accuracy, each.latency)]
    if not drawn:
        raise WrongValueError('no model has an accuracy and a latency; nothing to draw')
    models, runtimes = (list(dict.fromkeys(getattr(each, key) for each in drawn)) for key in ('model', 'runtime'))
    color, marker = assign_looks(models, COLORS, SPARE_COLORS), assign_looks(runtimes, MARKERS, SPARE_MARKERS)
    figure = Figure(figsize=(8.6, 5.0), dpi=150, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_xscale('log')
    for each in drawn:
        point = each.latency * 1e3, each.accuracy * 100
        axes.plot(*point, marker[each.runtime], color=color[each.model], markersize=9, alpha=0.85, markeredgewidth=0)
    fastest = [min((each for each in drawn if each.model == name), key=lambda each: each.latency) for name in models]
    labels = [
        _label(axes, each, color[each.model], offset)
        for each, offset in zip(fastest, label_offsets(fastest), strict=True)
    ]
    axes.set_xlabel('latency of one clip, ms (median, with the best number of threads); left is faster')
    axes.set_ylabel('top-1 accuracy on test, %')
    _ticks(axes, [each.latency * 1e3 for each in drawn])
    axes.margins(x=0.12, y=0.15)
    axes.grid(True, which='major', color='#dddddd', linewidth=0.8)
    axes.spines[['top', 'right']].set_visible(False)
    shapes = [Line2D([], [], marker=marker[name], color='#555555', linestyle='', label=name) for name in runtimes]
    figure.legend(handles=shapes, title='runtime', loc='outside right upper', frameon=False, alignment='left')
    axes.set_title(report.title, loc='left', fontsize=11)
    figure.draw_without_rendering()  # only now it is known where everything is
    for label in labels:
        _keep_inside(axes, label)
    path = Path(path)
    drawn = io.BytesIO()
    figure.savefig(drawn, format=path.suffix[1:])
    write_atomically(drawn.getvalue(), path)
    return path


def assign_looks(names: Sequence[str], known: Mapping[str, str], spare: Sequence[str]) -> dict[str, str]:
    """Return the colour or the marker of each name.

    Args:
        names: Names of the models or of the runtimes in a picture.
        known: Fixed looks by name.
        spare: Looks for all others, in the order of their names.
    """
    others = sorted(set(names) - set(known))
    return {name: known.get(name) or spare[others.index(name) % len(spare)] for name in names}


def label_offsets(labelled: Sequence[Deployment]) -> list[int]:
    """Return how far above its point each name stands, in points, so that names of close points do not overlap."""
    accuracies = [each.accuracy for each in labelled]
    close, placed = max(0.08 * (max(accuracies) - min(accuracies)), 0.001), []
    for each in labelled:
        taken = {
            offset
            for other, offset in zip(labelled, placed, strict=False)
            if abs(other.accuracy - each.accuracy) <= close and 0.4 < other.latency / each.latency < 2.5
        }
        placed.append(
            next(offset for offset in LABEL_OFFSETS * 2 if offset not in taken or len(taken) >= len(LABEL_OFFSETS))
        )
    return placed


def _label(axes: Any, each: Deployment, color: str, offset: int) -> Any:
    return axes.annotate(
        each.model,
        (each.latency * 1e3, each.accuracy * 100),
        xytext=(0, offset),
        textcoords='offset points',
        ha='center',
        color=color,
        fontsize=10,
        fontweight='bold',
    )


def _keep_inside(axes: Any, label: Any) -> None:
    """Move a name that reaches over the edge of the axes back, sideways or up and down."""
    room, taken = axes.get_window_extent(), label.get_window_extent()
    point = axes.figure.dpi / 72
    edge = EDGE_POINTS * point
    moved = []
    for low, high, first, last in ((room.x0, room.x1, taken.x0, taken.x1), (room.y0, room.y1, taken.y0, taken.y1)):
        moved.append((max(low + edge - first, 0) + min(high - edge - last, 0)) / point)
    label.xyann = tuple(offset + shift for offset, shift in zip(label.xyann, moved, strict=True))


def _ticks(axes: object, latencies: list[float]) -> None:
    """Label 1, 2 and 5 of each decade, in plain numbers: a decade alone may hold all points."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
