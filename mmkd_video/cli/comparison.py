"""The table of a comparison."""

import statistics
from dataclasses import dataclass, field


@dataclass
class Row:
    """One model of a comparison, over its seeds.

    Args:
        name: What it is.
        params: Number of parameters.
        gflops: Of one forward pass, as MMEngine counts (a multiply-add is one); None when not counted.
        metric: What its scores are.
    """

    name: str
    params: int
    gflops: float | None
    metric: str
    seeds: list[int | None] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    seconds: list[float | None] = field(default_factory=list)

    def add(self, seed: int | None, score: float, seconds: float | None) -> None:
        """Take in one run.

        Args:
            seed: None for a teacher.
            score: On test.
            seconds: Of training; None when not counted.
        """
        self.seeds.append(seed)
        self.scores.append(score)
        self.seconds.append(seconds)

    @property
    def mean(self) -> float:
        """Mean of the scores."""
        return statistics.fmean(self.scores)

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation of the scores; None for a single one."""
        return statistics.stdev(self.scores) if len(self.scores) > 1 else None

    @property
    def mean_seconds(self) -> float | None:
        """Mean training time; None when one was not counted."""
        return statistics.fmean(self.seconds) if None not in self.seconds else None


@dataclass(frozen=True)
class Comparison:
    """All rows, and how they were made.

    Args:
        config: Path of the distillation config.
        command: What made it.
        rows: Teachers first, then the student alone and distilled.
    """

    config: str
    command: str
    rows: list[Row]

    @property
    def seeds(self) -> list[int]:
        """The seeds of the students."""
        return [seed for seed in self.rows[-1].seeds if seed is not None]

    @property
    def gains(self) -> list[float]:
        """Distilled minus alone, seed by seed."""
        alone, distilled = self.rows[-2:]
        return [ours - theirs for ours, theirs in zip(distilled.scores, alone.scores, strict=True)]

    def as_dict(self) -> dict:
        """Return every number."""
        rows = [
            dict(
                name=row.name,
                params=row.params,
                gflops=row.gflops,
                metric=row.metric,
                seeds=row.seeds,
                scores=row.scores,
                mean=row.mean,
                deviation=row.deviation,
                seconds=row.seconds,
            )
            for row in self.rows
        ]
        return dict(config=self.config, command=self.command, rows=rows)

    @classmethod
    def from_dict(cls, saved: dict) -> 'Comparison':
        """Read back what :meth:`as_dict` gave."""
        derived = ('mean', 'deviation')
        rows = [Row(**{key: value for key, value in row.items() if key not in derived}) for row in saved['rows']]
        return cls(saved['config'], saved['command'], rows)

    def as_text(self) -> str:
        """Return the table for a terminal."""
        table = self._cells()
        widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
        lines = []
        for row in table:
            first, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            lines.append('  '.join([row[0].ljust(widths[0]), *others]).rstrip())
        lines.insert(1, '-' * max(map(len, lines)))
        return '\n'.join([*lines, '', self._note()])

    def as_markdown(self) -> str:
        """Return the table for a document."""
        head, *body = self._cells()
        lines = [head, ['---', *['---:'] * (len(head) - 1)], *body]
        return '\n'.join(
            ['| ' + ' | '.join(line) + ' |' for line in lines] + ['', self._note(), '', f'`{self.command}`']
        )

    def _cells(self) -> list[list[str]]:
        metric = self.rows[-1].metric
        head = ['', 'params', 'GFLOPs', *(f'seed {seed}' for seed in self.seeds), f'{metric} on test', 'training']
        table = [head]
        for row in self.rows:
            single = row.seeds == [None]
            scores = [''] * len(self.seeds) if single else [_score(score, metric) for score in row.scores]
            flops = '-' if row.gflops is None else f'{row.gflops:.3f}'
            mean = _spread(_score(row.mean, metric), row.deviation, metric)
            table.append([row.name, f'{row.params / 1e6:.2f} M', flops, *scores, mean, _duration(row.mean_seconds)])
        gains = Row('distilled - alone', 0, None, metric, scores=self.gains)
        mean = _spread(_signed(gains.mean, metric), gains.deviation, metric)
        table.append([gains.name, '', '', *(_signed(gain, metric) for gain in self.gains), mean, ''])
        return table

    def _note(self) -> str:
        several = ', mean and sample standard deviation over seeds' if len(self.seeds) > 1 else ', one seed'
        return f'Last checkpoint, scored on test{several}; training in min:s, mean over seeds, validation left out.'


def _scale(metric: str) -> float:
    return 100.0 if metric.startswith('acc/') else 1.0  # accuracies are shown in percent


def _score(value: float, metric: str) -> str:
    return f'{value * _scale(metric):.2f}'


def _signed(value: float, metric: str) -> str:
    return f'{round(value * _scale(metric), 2) + 0.0:+.2f}'  # the sum turns -0.0 into 0.0


def _spread(mean: str, deviation: float | None, metric: str) -> str:
    return mean if deviation is None else f'{mean} ± {_score(deviation, metric)}'


def _duration(seconds: float | None) -> str:
    return '-' if seconds is None else f'{int(seconds) // 60}:{int(seconds) % 60:02d}'
