"""The results of a comparison: scores by arm and seed, and what follows from them."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.workflows.compare.arms import AS_LONG, DISTILLED
from mmkd_video.workflows.compare.intervals import Gain, Interval, closed_gap

FORMAT = 2
POINT = 0.01  # of accuracy
NEAR_CHANCE = 1.5  # times the accuracy of always giving the most frequent answer


@dataclass(frozen=True)
class Teacher:
    """A teacher by itself.

    Args:
        name: Name in tables.
        score: Score on test.
        params: Number of parameters.
        gflops: GFLOPs of one forward pass, as MMEngine counts (a multiply-add is one); None when not counted.
        seconds: Wall time of its training; None when not counted.
        cpu_seconds: The same on the CPUs.
    """

    name: str
    score: float
    params: int
    gflops: float | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None


@dataclass(frozen=True)
class Row:
    """One arm at one setting, over all seeds. A run that is missing has None everywhere.

    Args:
        arm: Its name.
        kind: ``ALONE``, ``DISTILLED`` or ``AS_LONG``.
        label: Label of its settings.
        settings: Values by dotted key that differ from what is shipped.
        scores: Scores on test, one for each seed.
        val: Scores on validation.
        agreement: Fraction of test clips on which the student's answer is the teacher's.
        seconds: Wall time of training, validation left out.
        cpu_seconds: The same on the CPUs, loaders included.
        params: Number of parameters.
        gflops: GFLOPs of one forward pass; None when not counted.
        teacher: Name of the teacher that its gap and agreement are about; None where none was tested.
        of: The distilled arm whose time is bought, for ``AS_LONG``.
        length: Length of training, such as ``16 epochs``, for ``AS_LONG``.
        device: Device on which it was trained.
        pairs: Scores that are paired with another row's, where they are more than ``scores``: those of all folds and
            seeds.
        clips: The fraction of seeds that got it right, for each test clip of all folds.
    """

    arm: str
    kind: str
    label: str
    settings: Mapping[str, Any]
    scores: list[float | None]
    val: list[float | None]
    agreement: list[float | None]
    seconds: list[float | None]
    cpu_seconds: list[float | None]
    params: int = 0
    gflops: float | None = None
    teacher: str | None = None
    of: str | None = None
    length: str | None = None
    device: str = 'cpu'
    pairs: list[float | None] | None = None
    clips: list[float] | None = None

    @property
    def known(self) -> list[float]:
        """The scores that are there."""
        return _measured_only(self.scores)

    @property
    def mean(self) -> float | None:
        """Mean of the scores; None where all are missing."""
        return mean_of(self.scores)

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation of the scores; None for fewer than two."""
        return statistics.stdev(self.known) if len(self.known) > 1 else None

    @property
    def worst(self) -> float | None:
        """The lowest score."""
        return min(self.known, default=None)

    @property
    def cost(self) -> float | None:
        """Mean seconds of training: of the CPUs where it ran on them, else of the wall clock."""
        return mean_of(self.cpu_seconds if self.device == 'cpu' else self.seconds)


@dataclass(frozen=True)
class Section:
    """All arms at one setting each.

    Args:
        title: Description of the settings.
        rows: The student alone first.
        in_grid: Whether it is one of all points of a grid.
    """

    title: str
    rows: list[Row]
    in_grid: bool = False

    @property
    def alone(self) -> Row:
        """The student alone."""
        return self.rows[0]

    @property
    def distilled(self) -> list[Row]:
        """The distilled arms."""
        return [row for row in self.rows if row.kind == DISTILLED]

    def pairs(self) -> list[tuple[Row, Row]]:
        """Return every distilled row with each row that it is compared with."""
        found = []
        for row in self.distilled:
            found.append((row, self.alone))
            found += [(row, other) for other in self.rows if other.kind == AS_LONG and other.of == row.arm]
        return found


def gain_of(row: Row, other: Row) -> Gain | None:
    """Return the scores of a row minus those of another, over the pairs that both have; None where there are none."""
    pairs = [after - before for before, after in _paired(row, other)]
    return Gain(pairs, missing=len(row.scores if row.pairs is None else row.pairs) - len(pairs)) if pairs else None


def gain_by_clip(row: Row, other: Row) -> Gain | None:
    """Return how much more often a row is correct than another, clip by clip; None where the clips are not known."""
    if row.clips is None or other.clips is None:
        return None
    return Gain([after - before for before, after in zip(other.clips, row.clips, strict=True)])


def gap_of(row: Row, other: Row, goal: float) -> tuple[float | None, Interval | None]:
    """Return the share of the gap between another row and a goal that a row closes, with its interval."""
    both = _paired(row, other)
    if not both:
        return None, None
    before, after = zip(*both, strict=True)
    return closed_gap(before, after, goal)


@dataclass(frozen=True)
class Tuned:
    """The scores of an arm on validation at one point of the grid.

    Args:
        arm: Its name.
        label: Label of the point.
        settings: Values by dotted key.
        seeds: Seeds of the trials.
        val: Scores, one for each seed; None for a run that is missing.
        chosen: Whether the arm is evaluated at this point.
    """

    arm: str
    label: str
    settings: Mapping[str, Any]
    seeds: list[int]
    val: list[float | None]
    chosen: bool = False


@dataclass(frozen=True)
class Comparison:
    """All results of a comparison, and how they were obtained.

    Args:
        configs: Paths of the distillation configs by name.
        command: Command that made it.
        metric: Name of the metric.
        seeds: Seeds of the evaluation.
        teachers: Each by itself.
        sections: The recipe as shipped first, then each arm at its best, then points of the grid.
        grid: The grid as it was given.
        tuning: Trials on validation.
        chance: Accuracy of always giving the most frequent answer on test; None when not known.
        missing: Runs that failed.
        trials: Every trial that was ever run in the work dir.
        options: Options of the comparison, so that seeds can be added.
        notes: Further sentences.
    """

    configs: dict[str, str]
    command: str
    metric: str
    seeds: list[int]
    teachers: list[Teacher]
    sections: list[Section]
    grid: list[str] = field(default_factory=list)
    tuning: list[Tuned] = field(default_factory=list)
    chance: float | None = None
    missing: list[str] = field(default_factory=list)
    trials: list[dict] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def config(self) -> str:
        """Path of the first distillation config."""
        return next(iter(self.configs.values()))

    def teacher(self, name: str | None) -> Teacher | None:
        """Return a teacher by its name."""
        return next((each for each in self.teachers if each.name == name), None)

    def near_chance(self, row: Row) -> int | None:
        """Return how many runs of a row are hardly better than chance; None where chance is not known."""
        if self.chance is None or not self.metric.startswith('acc/top1'):
            return None
        return sum(score <= NEAR_CHANCE * self.chance for score in row.known)

    def as_dict(self) -> dict:
        """Return every number, ready for JSON; what follows from the scores is added for readers."""
        found = dict(format=FORMAT, **asdict(self))
        found['findings'] = [
            _paired_statistics(self, section, row, other) for section in self.sections for row, other in section.pairs()
        ]
        return found

    @classmethod
    def from_dict(cls, saved: Mapping) -> 'Comparison':
        """Read back what :meth:`as_dict` gave.

        Raises:
            ValueError: It is of another format.
        """
        if saved.get('format') != FORMAT:
            raise WrongValueError(f'got format {saved.get("format", 1)}, expected {FORMAT}; run the comparison again')
        given = {key: value for key, value in saved.items() if key not in ('format', 'findings')}
        given['teachers'] = [Teacher(**each) for each in saved['teachers']]
        given['tuning'] = [Tuned(**each) for each in saved.get('tuning', [])]
        given['sections'] = [
            Section(**{**each, 'rows': [Row(**row) for row in each['rows']]}) for each in saved['sections']
        ]
        return cls(**given)


def _paired_statistics(comparison: Comparison, section: Section, row: Row, other: Row) -> dict:
    gain, teacher = gain_of(row, other), comparison.teacher(row.teacher)
    found: dict[str, Any] = dict(section=section.title, arm=row.arm, minus=other.arm)
    if gain is None:
        return found
    share, interval = gap_of(row, other, teacher.score) if teacher else (None, None)
    return dict(
        **found,
        pairs=len(gain.pairs),
        mean=gain.mean,
        deviation=gain.deviation,
        student=gain.student and asdict(gain.student),
        bootstrap=gain.bootstrap and asdict(gain.bootstrap),
        wins=gain.wins,
        worst=gain.worst,
        more_than_a_point_below=gain.losses(-POINT),
        closed=share,
        closed_interval=interval and asdict(interval),
        shown=gain.is_shown,
        by_clip=_by_clip(row, other),
    )


def _by_clip(row: Row, other: Row) -> dict | None:
    gain = gain_by_clip(row, other)
    if gain is None:
        return None
    return dict(
        clips=len(gain.pairs),
        mean=gain.mean,
        student=gain.student and asdict(gain.student),
        bootstrap=gain.bootstrap and asdict(gain.bootstrap),
        shown=gain.is_shown,
    )


def _paired(row: Row, other: Row) -> list[tuple[float, float]]:
    before, after = ([*each.scores] if each.pairs is None else each.pairs for each in (other, row))
    return [(a, b) for a, b in zip(before, after, strict=True) if a is not None and b is not None]


def mean_of(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are there; None where all are missing."""
    known = _measured_only(values)
    return statistics.fmean(known) if known else None


def _measured_only(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]
