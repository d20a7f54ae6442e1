"""Accuracy of several students against their latency and operations: which of them is worth its cost."""

import copy
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import DefaultScope

from mmkd_video.benchmark import Interval, LoadWatch, Rounds, measure_interleaved, median_interval
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import build_model
from mmkd_video.core.text_table import aligned
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.input_form import noise_clip, positive, shallow
from mmkd_video.recognizers.plain_student import plain_student
from mmkd_video.recognizers.size import find_size
from mmkd_video.workflows.compare.arms import AS_LONG
from mmkd_video.workflows.compare.settings import SAVED
from mmkd_video.workflows.measure.rounds import measured_facts
from mmkd_video.workflows.report.saved_results import read_comparison

HEADER = ('student', 'accuracy', 'seeds', 'GFLOPs', 'parameters', 'latency', '95 % interval', 'front')
BY_LATENCY, BY_OPERATIONS = 'latency', 'operations'
ON_FRONT, DOMINATED = '#1b7a2f', '#888888'


@dataclass(frozen=True)
class Student:
    """One way to train a student, with what it reaches and costs.

    Attributes:
        name: Name in the table.
        accuracy: Mean score on test over the seeds, 0 to 1.
        seeds: Number of seeds.
        params: Number of parameters.
        gflops: GFLOPs of one clip; None where they were not counted.
        latency: Median seconds of one clip.
        interval: Interval of it, ``(low, high)``.
        fronts: Names of the measures in which no other student is at least as good and as cheap, and better in one.
    """

    name: str
    accuracy: float
    seeds: int
    params: int
    gflops: float | None
    latency: float
    interval: tuple[float, float]
    fronts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Frontier:
    """All students, and how they were measured.

    Attributes:
        students: Students, the cheapest first.
        metric: Name of the score.
        facts: Facts that a reader needs to measure it again.
    """

    students: list[Student]
    metric: str
    facts: dict[str, str] = field(default_factory=dict)

    def as_text(self) -> str:
        """Return the table for a terminal."""
        return '\n'.join(
            [
                *(f'{key}: {value}' for key, value in self.facts.items()),
                '',
                *aligned([HEADER, *map(_cells, self.students)]),
            ]
        )

    def as_markdown(self) -> str:
        """Return the table for a document."""
        lines = ['| ' + ' | '.join(cells) + ' |' for cells in (HEADER, *map(_cells, self.students))]
        lines.insert(1, '|---' * len(HEADER) + '|')
        return '\n'.join([*(f'- {key}: {value}' for key, value in self.facts.items()), '', *lines])


def measure_frontier(
    work_dirs: Sequence[str | Path],
    *,
    rounds: int = 30,
    warmup: int = 3,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Frontier:
    """Read what students reached in comparisons, and measure their latencies side by side.

    Accuracies and operations are those that ``tools/compare.py`` wrote of the recipes as shipped. The latency is of
    the plain student in eager PyTorch on the CPU, on noise: weights do not change it.

    Args:
        work_dirs: Folders of finished comparisons, of one metric.
        rounds: Number of measured rounds; each runs every student once.
        warmup: Number of rounds before that.
        threads: Number of PyTorch's threads.
        progress: Function that is called with (rounds done, rounds in all).

    Raises:
        FileNotFoundError: A comparison or one of its configs is not there.
        ValueError: A comparison is damaged, the metrics differ, or nothing was scored.
    """
    rows, configs, metrics = {}, {}, {}
    for folder in map(Path, work_dirs):
        comparison = read_comparison(folder / SAVED)
        metrics[str(folder)] = comparison.metric
        for row in comparison.sections[0].rows:
            if row.kind != AS_LONG and row.mean is not None:
                name = row.arm if len(work_dirs) == 1 else f'{folder.name}: {row.arm}'
                rows[name] = row
                path = comparison.configs.get(row.arm) or next(iter(comparison.configs.values()))
                configs[name] = path, comparison.options.get('cfg_options') or {}
    if len(set(metrics.values())) > 1:
        raise WrongValueError(f'got comparisons of different metrics: {metrics}; expected one metric')
    if not rows:
        raise WrongValueError(f'{", ".join(metrics)}: no student has a score; expected finished comparisons')
    passes = _passes(configs)
    known, threads_before = torch.get_num_threads(), threads
    torch.set_num_threads(threads)
    try:
        watch = LoadWatch()
        of_models = {key: call for key, call in passes.values()}
        timings = measure_interleaved(of_models, Rounds(rounds, warmup=warmup), watch, progress=progress)
    finally:
        torch.set_num_threads(known)
    facts = dict(
        latency=f'of one clip in eager PyTorch, CPU time, {threads_before} thread(s), random weights, on noise'
    )
    facts |= measured_facts(timings, watch)
    found = []
    for name, row in rows.items():
        measured: Interval = median_interval(timings[passes[name][0]].cpu)
        numbers = dict(accuracy=row.mean, seeds=len(row.known), params=row.params, gflops=row.gflops)
        found.append(Student(name, **numbers, latency=measured.median, interval=(measured.low, measured.high)))
    return Frontier(mark_fronts(found), next(iter(metrics.values())), facts)


def mark_fronts(students: Sequence[Student]) -> list[Student]:
    """Return the students, the cheapest first, with the fronts that each is on.

    Args:
        students: Students in any order.
    """
    costs = {BY_LATENCY: lambda each: each.latency, BY_OPERATIONS: lambda each: each.gflops}
    found = []
    for each in sorted(students, key=lambda each: (each.latency, -each.accuracy)):
        fronts = tuple(name for name, cost in costs.items() if _on_front(each, students, cost))
        found.append(Student(**{**vars(each), 'fronts': fronts}))
    return found


def _on_front(one: Student, students: Sequence[Student], cost: Callable[[Student], float | None]) -> bool:
    own = cost(one)
    if own is None:
        return False
    for other in students:
        others = cost(other)
        as_good = others is not None and others <= own and other.accuracy >= one.accuracy
        if as_good and (others < own or other.accuracy > one.accuracy):
            return False
    return True


def draw_frontier(frontier: Frontier, path: str | Path) -> None:
    """Draw accuracy against latency and against operations, with the students on each front joined.

    Args:
        frontier: Measurements.
        path: Path of the picture, such as ``.png`` or ``.svg``.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 4.4), dpi=150, layout='constrained')
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2, sharey=True)
    drawn = (
        (BY_LATENCY, 'latency of one clip, ms', lambda each: each.latency * 1e3),
        (BY_OPERATIONS, 'GFLOPs of one clip', lambda each: each.gflops),
    )
    for axes, (front, label, cost) in zip(panels, drawn, strict=True):
        shown = [each for each in frontier.students if cost(each) is not None]
        best = sorted((each for each in shown if front in each.fronts), key=cost)
        axes.plot([cost(each) for each in best], [each.accuracy * 100 for each in best], color=ON_FRONT, linewidth=1)
        for each in shown:
            color = ON_FRONT if front in each.fronts else DOMINATED
            axes.plot(cost(each), each.accuracy * 100, 'o', color=color)
            point = (cost(each), each.accuracy * 100)
            axes.annotate(each.name, point, (5, 5), textcoords='offset points', fontsize=8, color=color)
        axes.set_xlabel(f'{label}; left is cheaper')
        axes.margins(x=0.25, y=0.15)
        axes.grid(True, color='#dddddd', linewidth=0.8)
        axes.spines[['top', 'right']].set_visible(False)
    panels[0].set_ylabel(f'{frontier.metric} on test, %')
    content = io.BytesIO()
    figure.savefig(content, format=Path(path).suffix[1:])
    write_atomically(content.getvalue(), path)


def save_frontier(frontier: Frontier, folder: str | Path) -> list[Path]:
    """Write the numbers, the table and the picture.

    Args:
        frontier: Measurements.
        folder: Folder to write into; it is made.

    Returns:
        The files.

    Raises:
        OSError: They cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f'frontier.{ending}' for ending in ('json', 'md', 'png')]
    write_atomically((json.dumps(asdict(frontier), indent=1) + '\n').encode(), files[0])
    write_atomically((frontier.as_markdown() + '\n').encode(), files[1])
    draw_frontier(frontier, files[2])
    return files


def _passes(configs: Mapping[str, tuple[str, Mapping]]) -> dict[str, tuple[str, Callable[[], Any]]]:
    """Return for each student the name of its model, and one forward pass of that; equal models are built once."""
    built: dict[str, tuple[str, Callable[[], Any]]] = {}
    found = {}
    for name, (path, options) in configs.items():
        config = plain_student(read_config(path, options))
        key = json.dumps([config.model.to_dict(), find_size(config.model, config, None, 'student')], default=str)
        if key not in built:
            with DefaultScope.overwrite_default_scope('mmaction'):
                model = build_model(copy.deepcopy(config.model)).eval()
            clip = positive(noise_clip(model, find_size(config.model, config, None, 'student')))
            built[key] = (name, _forward(model, clip))
        found[name] = built[key]
    return found


def _forward(model: Any, clip: Any) -> Callable[[], Any]:
    @torch.inference_mode()
    def forward() -> None:
        model.extract_feat(shallow(clip), stage='head')

    return forward


def _cells(each: Student) -> tuple[str, ...]:
    low, high = (f'{value * 1e3:.2f}' for value in each.interval)
    return (
        each.name,
        f'{each.accuracy * 100:.1f} %',
        str(each.seeds),
        '' if each.gflops is None else f'{each.gflops:.3f}',
        f'{each.params:,}',
        f'{each.latency * 1e3:.2f} ms',
        f'{low} to {high} ms',
        ', '.join(each.fronts),
    )
