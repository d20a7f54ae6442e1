"""A work dir: which runs are in it, of which arm and seed, and which results."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from mmkd_video.benchmark import DeploymentReport
from mmkd_video.core.files.json_lines import read_json_lines
from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.core.plain_data import Anything, Maybe, Record, Text, Whole
from mmkd_video.workflows.compare.arms import ALONE, AS_LONG, DISTILLED
from mmkd_video.workflows.compare.result import Comparison
from mmkd_video.workflows.compare.runs import EVALUATION, LEDGER, TEACHER
from mmkd_video.workflows.compare.settings import SAVED
from mmkd_video.workflows.report.config_literals import DAMAGED, dumped_config, read_literals
from mmkd_video.workflows.report.history import LOGS, History, read_history
from mmkd_video.workflows.report.saved_results import read_comparison, read_deployments, tried
from mmkd_video.workflows.report.task_factor import task_factor
from mmkd_video.workflows.train.run_folder import SCORES

DEPLOYED, PRUNED = 'deploy.json', 'student pruned'
_TRIAL_KEYS = ('settings', 'val', 'test', 'seconds', 'cpu_seconds', 'device', 'threads', 'cpu', 'failed')
_TRIAL = Record(
    dict(arm=Text(500), purpose=Text(50), run=Text(4000), seed=Maybe(Whole(0, 1 << 63))),
    {key: Anything(1000) for key in _TRIAL_KEYS},
)


@dataclass(frozen=True)
class TrainedRun:
    """One training.

    Args:
        arm: Name of its arm.
        kind: ``ALONE``, ``DISTILLED`` or ``AS_LONG``.
        seed: Its seed; None where it is not known.
        path: Its folder.
        history: Its logs.
    """

    arm: str
    kind: str
    seed: int | None
    path: Path
    history: History

    @property
    def scores(self) -> Path:
        """The file of its scores of each clip of test."""
        return self.path / SCORES


@dataclass
class WorkDir:
    """Everything that belongs into one part of the page.

    Args:
        title: Heading: the folder, or the folders of single trainings.
        runs: Trainings.
        teacher: Folder of the teacher's own test; None where there is none.
        comparison: Result of a comparison.
        deployments: Models in their runtimes.
        problems: Files that could not be read, each with the reason in one line.
    """

    title: str
    runs: list[TrainedRun] = field(default_factory=list)
    teacher: Path | None = None
    comparison: Comparison | None = None
    deployments: DeploymentReport | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def arms(self) -> list[tuple[str, str]]:
        """Name and kind of every arm."""
        rows = self.comparison.sections[0].rows if self.comparison else []
        return list(
            dict.fromkeys([*((row.arm, row.kind) for row in rows), *((run.arm, run.kind) for run in self.runs)])
        )

    def runs_of(self, arm: str) -> list[TrainedRun]:
        """Return the trainings of an arm, by seed."""
        own = [run for run in self.runs if run.arm == arm]
        return sorted(own, key=lambda run: (run.seed is None, run.seed or 0, str(run.path)))


def read_folders(folders: Sequence[str | Path]) -> list[WorkDir]:
    """Read work dirs; single trainings, which may be arms of one comparison by hand, come together at the end.

    Args:
        folders: Folders that ``compare``, ``train`` or ``compress`` wrote.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: There is nothing of these tools in it.
    """
    found, single = [], WorkDir('')
    for folder in dict.fromkeys(map(Path, folders)):
        if not folder.is_dir():
            raise MissingFileError(f'{folder}: there is no such folder; expected one that a tool has written')
        if _is_run(folder) and not (folder / LEDGER).is_file():
            alone = sum(Path(each).name == folder.name for each in folders) == 1
            single.runs.append(_run(folder, folder.name if alone else str(folder), None, single.problems))
            single.title = ', '.join(filter(None, [single.title, str(folder)]))
        else:
            found.append(_read(folder))
    return [*found, *([single] if single.runs else [])]


def _read(folder: Path) -> WorkDir:
    work = WorkDir(str(folder))
    work.comparison = tried(read_comparison, folder / SAVED, work.problems)
    work.deployments = tried(read_deployments, folder / DEPLOYED, work.problems)
    if (folder / LEDGER).is_file():
        _add_trials(work, folder)
    folds = sorted(path.parent for path in folder.glob(f'fold*/{LEDGER}'))
    if folds:
        work.problems.append(f'{folder}: {len(folds)} folds; curves and clips are those of {folds[0].name}')
        _add_trials(work, folds[0])
    if not work.runs:
        for path in sorted(folder.iterdir()):
            if _is_run(path):
                name = PRUNED if path.name == 'prune' else path.name.replace('_', ' ')
                work.runs.append(_run(path, name, None, work.problems))
    if not (work.runs or work.comparison or work.deployments or work.problems):
        raise WrongValueError(
            f'{folder}: nothing of compare, train or compress is in it; expected {SAVED}, {LEDGER}, {DEPLOYED} or '
            f'{LOGS}'
        )
    return work


def _add_trials(work: WorkDir, folder: Path) -> None:
    """Add the trials of a comparison that were made with the recipe as shipped; the newest line of each counts."""
    try:
        trials, wrong = read_json_lines(folder / LEDGER, _TRIAL)
    except OSError as error:
        work.problems.append(f'{folder / LEDGER}: cannot be read ({error.strerror})')
        return
    inside = [each for each in trials if _stays_inside(each['run'])]
    left_out = len(wrong) + len(trials) - len(inside)
    if left_out:
        work.problems.append(f'{folder / LEDGER}: {left_out} lines are no trials of this folder and left out')
    newest = {(each['arm'], each['run']): each for each in inside}
    asked = [each for each in newest.values() if each['purpose'] == EVALUATION and not each.get('settings')]
    others = sum(each['purpose'] not in (EVALUATION, TEACHER) or bool(each.get('settings')) for each in newest.values())
    if others:
        work.problems.append(f'{folder}: {others} trials of other settings are in its tables, not in the curves')
    teachers = [folder / each['run'] for each in newest.values() if each['purpose'] == TEACHER]
    work.teacher = next(iter(teachers), None)
    if len(teachers) > 1:
        work.problems.append(f'{folder}: {len(teachers)} teachers; clips show the first')
    rows = work.comparison.sections[0].rows if work.comparison else []
    kinds = {row.arm: row.kind for row in rows}
    for trial in asked:
        path = folder / trial['run']
        if trial.get('failed'):
            work.problems.append(f'{path}: this run failed')
        elif not path.is_dir():
            work.problems.append(f'{path}: this run is no longer there')
        else:
            kind = kinds.get(trial['arm'])
            work.runs.append(_run(path, trial['arm'], trial['seed'], work.problems, kind))


def _stays_inside(run: str) -> bool:
    """Tell whether the path of a run, which stands in a file, leads to nowhere else."""
    path = PurePath(run)
    return not path.is_absolute() and '..' not in path.parts


def _run(path: Path, arm: str, seed: int | None, problems: list[str], kind: str | None = None) -> TrainedRun:
    history = read_history(path)
    problems += history.problems
    history.task_factor = _task_factor(path, history)
    return TrainedRun(arm, kind or _kind(arm, history), seed, path, history)


def _task_factor(path: Path, history: History) -> float | None:
    if not history.terms:
        return 1.0
    try:
        return task_factor(read_literals(dumped_config(path)))
    except DAMAGED:
        return None


def _kind(arm: str, history: History) -> str:
    if arm in (ALONE, DISTILLED, AS_LONG):
        return arm
    return DISTILLED if history.terms or re.match(DISTILLED, arm) else ALONE


def _is_run(path: Path) -> bool:
    return path.is_dir() and next(path.glob(LOGS), None) is not None
