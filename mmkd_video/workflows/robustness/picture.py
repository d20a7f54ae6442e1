"""Accuracy against severity, as a picture: a panel for each corruption, a line for each model."""

import io
from pathlib import Path
from statistics import fmean

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.workflows.robustness.robustness_report import RobustnessReport

COLORS = ('#4477aa', '#ee6677', '#228833', '#ccbb44', '#66ccee', '#aa3377', '#bbbbbb')  # Tol's, safe for all eyes
ABREAST = 4


def draw_robustness(report: RobustnessReport, path: str | Path) -> Path:
    """Draw the accuracy of each model under each corruption, from clean clips on, and the mean of all corruptions.

    Args:
        report: Measurements.
        path: Path of the picture, such as ``.png`` or ``.svg``.

    Returns:
        The path.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    kinds = report.kinds
    lines = -(-(len(kinds) + 1) // ABREAST)
    figure = Figure(figsize=(2.6 * ABREAST, 2.2 * lines + 0.6), dpi=150, layout='constrained')
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(lines, ABREAST, sharex=True, sharey=True, squeeze=False).flat)
    for panel, kind in zip(panels, [*kinds, None], strict=False):
        panel.set_title(kind or 'mean of all', loc='left', fontsize=9, fontweight=None if kind else 'bold')
        for (name, model), color in zip(report.models.items(), COLORS * len(report.models), strict=False):
            rows = [model.corrupted[each] for each in ([kind] if kind else kinds)]
            means = [fmean(cell.accuracy for cell in column) for column in zip(*rows, strict=True)]
            heights = [100 * each for each in (model.clean.accuracy, *means)]
            panel.plot([0, *report.severities], heights, 'o-', color=color, markersize=3, linewidth=1.3, label=name)
        panel.set_xticks([0, *report.severities], ['clean', *map(str, report.severities)], fontsize=7)
        panel.tick_params(axis='y', labelsize=7)
        panel.grid(True, axis='y', color='#eeeeee', linewidth=0.8)
        panel.set_ylim(0, 100)
        panel.spines[['top', 'right']].set_visible(False)
    for panel in panels[len(kinds) + 1 :]:
        panel.set_visible(False)
    figure.supxlabel('severity', fontsize=9)
    figure.supylabel(f'accuracy on {report.clips} test clips, %', fontsize=9)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside upper left', ncols=3, frameon=False, fontsize=9)
    drawn, path = io.BytesIO(), Path(path)
    figure.savefig(drawn, format=path.suffix[1:], metadata={'Software': None})
    write_atomically(drawn.getvalue(), path)
    return path
