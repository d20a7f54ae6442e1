"""The plan of a comparison: points of a grid for each arm, tuning seeds, and evaluation seeds."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config

from mmkd_video.recognizers.plain_student import plain_student
from mmkd_video.workflows.compare.arms import DISTILLED, Arm
from mmkd_video.workflows.compare.grid import Axis, Point, points_of
from mmkd_video.workflows.compare.runs import EVALUATION, TUNING, Run, make_run


class Plan:
    """The trials of a comparison.

    Args:
        configs: Distillation configs by name.
        arms: The student alone first.
        axes: Axes of the grid.
        seeds: Seeds of the evaluation.
        tuning_seeds: Seeds of the tuning; none: no tuning.
        work_dir: Folder that holds one for each run.

    Attributes:
        lacking: Keys of the grid that the student alone does not have.
    """

    def __init__(
        self,
        configs: Mapping[str, Config],
        arms: Sequence[Arm],
        axes: Sequence[Axis],
        seeds: Sequence[int],
        tuning_seeds: Sequence[int],
        work_dir: Path,
    ) -> None:
        self.configs, self.arms, self.axes = configs, list(arms), list(axes)
        self.seeds, self.tuning_seeds, self.work_dir = list(seeds), list(tuning_seeds), work_dir
        self.lacking = [axis.key for axis in self.axes if not self._changes_the_student_alone(axis)]
        self._points: dict[str, list[Point]] = {}

    def points(self, arm: Arm) -> list[Point]:
        """Return the points of the grid for an arm: of keys that it has."""
        if arm.name not in self._points:
            found: list[Point] = []
            for point in points_of(self.axes, arm.config):
                shared = point if arm.kind == DISTILLED else point.without(self.lacking)
                if shared.settings not in [each.settings for each in found]:
                    found.append(shared)
            self._points[arm.name] = found
        return self._points[arm.name]

    def seeds_of(self, arm: Arm) -> list[int]:
        """Return the tuning seeds of an arm: more where it has fewer points, so that all have as many trials."""
        most = max(len(self.points(each)) for each in self.arms)
        points = len(self.points(arm))
        if points < 2 or not self.tuning_seeds:  # one point: nothing to choose
            return list(self.tuning_seeds) if points > 1 else []
        wanted = math.ceil(most * len(self.tuning_seeds) / points)
        following = range(max(self.tuning_seeds) + 1, max(self.tuning_seeds) + wanted + 1)
        return [*self.tuning_seeds, *following][:wanted]

    def tuning(self, arm: Arm) -> list[Run]:
        """Return the trials by which an arm's settings are chosen, seed by seed."""
        return [
            make_run(arm, point, seed, TUNING, self.work_dir)
            for seed in self.seeds_of(arm)
            for point in self.points(arm)
        ]

    def evaluation(self, arm: Arm, point: Point) -> list[Run]:
        """Return the trials that are scored on test, one for each seed."""
        return [make_run(arm, point, seed, EVALUATION, self.work_dir) for seed in self.seeds]

    def _changes_the_student_alone(self, axis: Axis) -> bool:
        config = next(config for config in self.configs.values() if axis.exists_in(config))
        plain = plain_student(config).to_dict()
        changed = (Point('', {axis.key: value}).applied(config) for _, value in axis.values(config))
        return any(plain_student(each).to_dict() != plain for each in changed)
