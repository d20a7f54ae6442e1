"""Accuracy against latency, as a picture."""

from pathlib import Path

from mmkd_video.benchmark.deployment import Deployment, DeploymentReport

MARKERS = 'osD^vPX*'
COLORS = ('#4477aa', '#ee6677', '#228833', '#ccbb44', '#66ccee', '#aa3377', '#bbbbbb')  # Tol's, safe for all eyes


def draw_deployments(report: DeploymentReport, path: str | Path, threads: int | None = None) -> Path:
    """Draw each model in each runtime: latency to the right (logarithmic), accuracy upwards.

    Colours tell models, shapes tell runtimes; the fastest runtime of each model carries its name.

    Args:
        report: What was measured, with accuracies.
        path: Of the picture, such as ``.png`` or ``.svg``.
        threads: Which lines to draw; those with the most threads by default.

    Returns:
        The path.

    Raises:
        ValueError: No line has an accuracy.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    threads = threads or max(each.threads for each in report.deployments)
    drawn = [each for each in report.deployments if each.threads == threads and each.accuracy is not None]
    if not drawn:
        raise ValueError(f'no model that ran with {threads} threads has an accuracy; nothing to draw')
    models, runtimes = (list(dict.fromkeys(getattr(each, key) for each in drawn)) for key in ('model', 'runtime'))
    color = {name: COLORS[index % len(COLORS)] for index, name in enumerate(models)}
    marker = {name: MARKERS[index % len(MARKERS)] for index, name in enumerate(runtimes)}
    figure = Figure(figsize=(8.6, 5.0), dpi=150, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_xscale('log')
    for each in drawn:
        point = each.latency * 1e3, each.accuracy * 100
        axes.plot(*point, marker[each.runtime], color=color[each.model], markersize=9, alpha=0.85, markeredgewidth=0)
    for name in models:
        _label(axes, min((each for each in drawn if each.model == name), key=lambda each: each.latency), color[name])
    axes.set_xlabel(f'latency of one clip, ms (median, {threads} thread{"s" * (threads > 1)}); left is faster')
    axes.set_ylabel('top-1 accuracy on test, %')
    _ticks(axes, [each.latency * 1e3 for each in drawn])
    axes.margins(x=0.12, y=0.15)
    axes.grid(True, which='major', color='#dddddd', linewidth=0.8)
    axes.spines[['top', 'right']].set_visible(False)
    shapes = [Line2D([], [], marker=marker[name], color='#555555', linestyle='', label=name) for name in runtimes]
    figure.legend(handles=shapes, title='runtime', loc='outside right upper', frameon=False, alignment='left')
    axes.set_title(report.title, loc='left', fontsize=11)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def _label(axes: object, each: Deployment, color: str) -> None:
    axes.annotate(
        each.model,
        (each.latency * 1e3, each.accuracy * 100),
        xytext=(0, 9),
        textcoords='offset points',
        ha='center',
        color=color,
        fontsize=10,
        fontweight='bold',
    )


def _ticks(axes: object, latencies: list[float]) -> None:
    """Label 1, 2 and 5 of each decade, in plain numbers: a decade alone may hold all points."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
