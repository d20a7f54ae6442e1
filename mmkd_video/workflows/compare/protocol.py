"""The order of a comparison: teachers, trials on validation, then the evaluation on seeds that chose nothing."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmengine.config import Config

from mmkd_video.core.mistakes import WorkFailedError, WrongValueError
from mmkd_video.workflows.compare.arms import AS_LONG, DISTILLED, Arm, length_of, make_arms
from mmkd_video.workflows.compare.clips import agreement_of, chance_of, correct_by_clip
from mmkd_video.workflows.compare.grid import SHIPPED, Axis, Point, check_axes, with_distinct_names
from mmkd_video.workflows.compare.plan import Plan
from mmkd_video.workflows.compare.pool import run_all
from mmkd_video.workflows.compare.progress import Progress
from mmkd_video.workflows.compare.result import Comparison, Row, Section, Teacher, Tuned
from mmkd_video.workflows.compare.runs import EVALUATION, MACHINE, TUNING, Ledger, Run, describe, scores
from mmkd_video.workflows.compare.splits import check_splits
from mmkd_video.workflows.compare.stretch import fixed_length
from mmkd_video.workflows.compare.teachers import TestedTeacher, tested_teachers

TUNING_SEEDS = (1000, 1001)  # far from those that people evaluate
BEST = 'each arm at its best'


def compare(
    configs: Mapping[str, Config],
    seeds: Sequence[int],
    work_dir: Path,
    *,
    grid: Sequence[str] = (),
    tuning_seeds: Sequence[int] = TUNING_SEEDS,
    at_grid: bool = False,
    as_long: bool = False,
    jobs: int = 1,
    metric: str | None = None,
    command: str = '',
    say: Callable[[str], None] = print,
    keep_clips: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Run what is not finished yet, and return the comparison of all runs.

    Args:
        configs: Distillation configs by name; what they need is there.
        seeds: Seeds of the evaluation.
        work_dir: Folder that holds one for each run.
        grid: ``KEY=V1,V2,...`` each; every arm is tuned over the same points, on validation.
        tuning_seeds: Seeds of the tuning; none: no tuning, which only ``at_grid`` can do without.
        at_grid: Whether to evaluate every point on all seeds.
        as_long: Whether to train the student alone for as long as each distilled arm takes, too.
        jobs: Number of runs side by side.
        metric: Metric to compare; ``acc/top1`` by default, or the test's first one.
        command: Command line, kept beside the results.
        say: Function that prints a line.
        keep_clips: Whether to keep in each row how often each clip was right.
        progress: Progress of several comparisons; of this one alone by default.

    Raises:
        ValueError: The arms do not fit together, a folder holds a run of another config, a seed is for tuning and
            evaluation, settings would be chosen on test, or the test has no such metric.
        RuntimeError: Nothing could be measured.
    """
    seeds, tuning_seeds = list(dict.fromkeys(seeds)), list(dict.fromkeys(tuning_seeds)) if grid else []
    if at_grid and not grid:
        raise WrongValueError('--at-grid: got no --grid; expected one, whose points are to be evaluated')
    if grid and not tuning_seeds and not at_grid:
        raise WrongValueError(
            '--tuning-seeds: got none; expected some to choose by, or --at-grid to evaluate all points'
        )
    axes = with_distinct_names([Axis.parse(text) for text in grid])
    arms = make_arms(configs)
    check_axes(axes, configs)
    plan = Plan(configs, arms, axes, seeds, tuning_seeds, work_dir)
    protocol = Protocol(configs, plan, jobs, metric, say, keep_clips)
    protocol.progress = progress or protocol.progress
    protocol.check()
    return protocol.run(at_grid, as_long, command)


@dataclass
class Protocol:
    """One comparison while it runs.

    Args:
        configs: Distillation configs by name.
        plan: Runs to do.
        jobs: Number of runs side by side.
        metric: Metric to compare; None until the first result says which there are.
        say: Function that prints a line.
        keep_clips: Whether to keep in each row how often each clip was right.
    """

    configs: Mapping[str, Config]
    plan: Plan
    jobs: int
    metric: str | None
    say: Callable[[str], None]
    keep_clips: bool = False
    results: dict[Path, dict] = field(default_factory=dict)
    failures: dict[Path, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.arms, self.work_dir = self.plan.arms, self.plan.work_dir
        self.ledger = Ledger(self.work_dir)
        self.teachers, self._owned = tested_teachers(self.configs, self.work_dir)
        self.progress = Progress(0, self.jobs)
        self._known: set[Path] = set()

    def check(self) -> None:
        """Check that no seed is for tuning and for evaluation, now or in an earlier call; that test chooses nothing.

        Raises:
            ValueError: It is.
        """
        tuning = {seed for arm in self.arms for seed in self.plan.seeds_of(arm)}
        both = (tuning | self.ledger.seeds(TUNING)) & (set(self.plan.seeds) | self.ledger.seeds(EVALUATION))
        if both:
            raise WrongValueError(
                f'--seeds, --tuning-seeds: {", ".join(map(str, sorted(both)))} would be for tuning and for evaluation; '
                'a seed that took part in the choice says nothing about it. Give others (trials of earlier calls in '
                f'{self.work_dir} count too).'
            )
        if self.plan.tuning_seeds:
            check_splits(self.arms[0].training(self.arms[0].config))

    def run(self, at_grid: bool, as_long: bool, command: str) -> Comparison:
        """Run everything; see :func:`compare`."""
        tuning = [run for arm in self.arms for run in self.plan.tuning(arm)]
        tried = [(arm, point) for arm in self.arms for point in (self.plan.points(arm) if at_grid else [Point()])]
        self._run([each.run for each in self.teachers.values()] + tuning + self._evaluation(tried))
        best = {arm.name: self._best(arm) for arm in self.arms}
        self._run(self._evaluation([(arm, best[arm.name]) for arm in self.arms]))
        longer = self._run_as_long(best) if as_long else []
        return self._gather(best, longer, at_grid, command)

    def _evaluation(self, tried: Sequence[tuple[Arm, Point]]) -> list[Run]:
        """Return the trials of arms at points: all of one seed before the next, so that there are always pairs."""
        return [run for runs in zip(*(self.plan.evaluation(*each) for each in tried), strict=True) for run in runs]

    def _run(self, runs: Sequence[Run]) -> None:
        new = [run for run in {run.folder.path: run for run in runs}.values() if run.folder.path not in self._known]
        self._known |= {run.folder.path for run in new}
        self.progress.expect(len(new))
        run_all(new, self.jobs, self.progress, self._add_result, self._add_failure)

    def _add_result(self, run: Run, result: dict) -> None:
        self.results[run.folder.path] = result
        split = run.splits[-1]
        measured = result['metrics' if split == 'test' else split]
        self.metric = pick_metric(measured, self.metric, split)
        self.ledger.add(describe(run, result, self.metric))
        place = f'[{self.progress.done}/{self.progress.total}] {run.title}'
        self.say(f'{place}: {self.metric} {measured[self.metric]:.4f}{" on validation" if split == "val" else ""}')

    def _add_failure(self, run: Run, why: str) -> None:
        self.failures[run.folder.path] = run.title
        self.ledger.add(describe(run, None, self.metric))
        self.say(f'[{self.progress.done}/{self.progress.total}] {run.title} FAILED: {why.rstrip()}')

    def _best(self, arm: Arm) -> Point:
        """Return the point with the best mean on validation, the earlier of equals; none with a run missing."""
        tried = [(tuned, point) for tuned, point in self._tuned(arm) if None not in tuned.val]
        if not tried:
            return Point()
        return max(tried, key=lambda each: statistics.fmean(each[0].val))[1]

    def _tuned(self, arm: Arm) -> list[tuple[Tuned, Point]]:
        seeds, found = self.plan.seeds_of(arm), []
        if not seeds:
            return []
        for point in self.plan.points(arm):
            runs = [run for run in self.plan.tuning(arm) if run.settings == point.settings]
            val = scores(self.results, runs, 'val', self.metric or '')
            found.append((Tuned(arm.name, point.label, dict(point.settings), seeds, val), point))
        return found

    def _run_as_long(self, best: dict[str, Point]) -> list[Arm]:
        """Run the student alone for as long as each distilled arm took at shipped settings."""
        alone, longer = self.arms[0], []
        for arm in self.arms[1:]:
            runs = [self.plan.evaluation(each, Point()) for each in (alone, arm)]
            found = [[self.results.get(run.folder.path) for run in each] for each in runs]
            length = fixed_length(self.work_dir, arm, length_of(alone.config)[1], *found)
            if length is None:
                self.notes.append(f'{arm.name}: its time was not measured, so nothing was trained for as long.')
                continue
            suffix = f': {arm.name.partition(": ")[2]}' if len(self.arms) > 2 else ''
            made = replace(alone, name=AS_LONG + suffix, kind=AS_LONG, epochs=length, of=arm.name)
            if length != length_of(alone.config)[1]:  # else its runs are those of the student alone
                made = replace(made, folder=f'{alone.folder}_{_length(made)}'.replace(' ', '_'))
            longer.append(made)
        self._run([run for arm in longer for run in self.plan.tuning(arm)])
        best.update({arm.name: self._best(arm) for arm in longer})
        self._run(self._evaluation([(arm, point) for arm in longer for point in (Point(), best[arm.name])]))
        return longer

    def _gather(self, best: Mapping[str, Point], longer: list[Arm], at_grid: bool, command: str) -> Comparison:
        arms = [*self.arms, *longer]
        if not self.results:
            raise WorkFailedError(f'nothing was measured: {"; ".join(self.failures.values())} failed, as is told above')
        sections = [Section(SHIPPED, [self._row(arm, Point()) for arm in arms])]
        tuned = [(each, point) for arm in arms for each, point in self._tuned(arm)]
        if tuned and all(point.is_shipped for point in best.values()):
            self.notes.append('On validation every arm is best with the recipe as shipped.')
        elif tuned:
            sections.append(Section(BEST, [self._row(arm, best[arm.name]) for arm in arms]))
        if at_grid:
            sections += self._grid_sections()
        trials = [replace(each, chosen=point.settings == best[each.arm].settings) for each, point in tuned]
        self._note_trials(trials)
        self._note_rounding()
        return Comparison(
            configs={name: config.filename or '' for name, config in self.configs.items()},
            command=command,
            metric=self.metric or '',
            seeds=self.plan.seeds,
            teachers=[self._teacher(each) for each in self.teachers.values() if each.run.folder.path in self.results],
            sections=sections,
            grid=[f'{axis.key}={",".join(axis.texts)}' for axis in self.plan.axes],
            tuning=trials,
            chance=chance_of(self.plan.evaluation(self.arms[0], Point())),
            missing=list(self.failures.values()),
            trials=self.ledger.trials,
            notes=self.notes,
        )

    def _grid_sections(self) -> list[Section]:
        """Return one section for every point that some arm has; the student alone stands at what it shares of it."""
        points = {point.slug: point for arm in self.arms[1:] for point in self.plan.points(arm)}
        return [
            Section(
                point.label,
                [
                    self._row(self.arms[0], point.without(self.plan.lacking)),
                    *(self._row(arm, point) for arm in self.arms[1:] if point in self.plan.points(arm)),
                ],
                in_grid=True,
            )
            for point in points.values()
        ]

    def _note_trials(self, trials: Sequence[Tuned]) -> None:
        if self.plan.lacking and trials:
            counts = {arm.name: sum(len(each.seeds) for each in trials if each.arm == arm.name) for arm in self.arms}
            text = ', '.join(f'{name} {count}' for name, count in counts.items())
            self.notes.append(
                f'The student alone does not have {", ".join(self.plan.lacking)}; it was tuned over the others, with '
                f'more seeds, so that no arm had more trials (an arm with one setting has nothing to choose): {text}.'
            )

    def _note_rounding(self) -> None:
        kinds = {tuple(result.get(key) for key in MACHINE) for result in self.results.values()}
        if len(kinds) > 1:
            text = '; '.join(
                sorted(', '.join(f'{key} {value}' for key, value in zip(MACHINE, kind, strict=True)) for kind in kinds)
            )
            self.notes.append(f'Runs were made in several ways, whose rounding differs: {text}.')

    def _teacher(self, teacher: TestedTeacher) -> Teacher:
        found = self.results[teacher.run.folder.path]
        score = found['metrics'].get(self.metric)
        if score is None:
            raise WrongValueError(
                f'--metric: got {self.metric!r}; the test of {teacher.name} measures {", ".join(found["metrics"])}'
            )
        times = {key: found.get(key) for key in ('seconds', 'cpu_seconds')}
        return Teacher(teacher.name, score, found['params'], found['gflops'], **times)

    def _row(self, arm: Arm, point: Point) -> Row:
        runs = self.plan.evaluation(arm, point)
        found = [self.results.get(run.folder.path) for run in runs]
        first = next((each for each in found if each is not None), {})
        teacher = self._teacher_of(arm)
        return Row(
            arm=arm.name,
            kind=arm.kind,
            label=point.label,
            settings=dict(point.settings),
            scores=scores(self.results, runs, 'test', self.metric or ''),
            val=scores(self.results, runs, 'val', self.metric or ''),
            agreement=[agreement_of(run, teacher) if teacher else None for run in runs],
            seconds=[each and each.get('seconds') for each in found],
            cpu_seconds=[each and each.get('cpu_seconds') for each in found],
            params=first.get('params', 0),
            gflops=first.get('gflops'),
            teacher=teacher.name if teacher else None,
            of=arm.of,
            length=_length(arm),
            device=first.get('device', 'cpu'),
            clips=correct_by_clip(runs) if self.keep_clips else None,
        )

    def _teacher_of(self, arm: Arm) -> TestedTeacher | None:
        """Return the best teacher of an arm; for the student alone, of the first distilled one."""
        name = arm.of or (arm.name if arm.kind == DISTILLED else self.arms[1].name)
        config = list(self.configs)[[each.name for each in self.arms].index(name) - 1]
        tested = [self.teachers[each] for each in self._owned[config]]
        tested = [each for each in tested if each.run.folder.path in self.results]
        key = self.metric or ''
        return max(tested, key=lambda each: self.results[each.run.folder.path]['metrics'].get(key, 0.0), default=None)


def _length(arm: Arm) -> str | None:
    if arm.epochs is None:
        return None
    return f'{arm.epochs} {"epochs" if length_of(arm.config)[0] == "max_epochs" else "iterations"}'


def pick_metric(metrics: Mapping[str, float], wanted: str | None, split: str = 'test') -> str:
    """Return what is compared.

    Args:
        metrics: Metrics of a split.
        wanted: Name of the metric that was asked for with ``--metric``.
        split: Name of the split, for the message.

    Raises:
        ValueError: There is no such metric.
    """
    key = wanted or ('acc/top1' if 'acc/top1' in metrics else next(iter(metrics), None))
    if key not in metrics:
        name = 'test' if split == 'test' else 'validation'
        raise WrongValueError(f'--metric: got {key!r}; the {name} measures {", ".join(metrics) or "nothing"}')
    return key
