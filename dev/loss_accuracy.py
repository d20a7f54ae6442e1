"""Accuracy of every loss by the protocol of ``tools/compare.py``: read and ranked for the pages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mmkd_video.workflows.compare.intervals import Gain
from mmkd_video.workflows.compare.result import Comparison, Row, gain_of

KD = 'kd'
"""Name of the config with KDLoss alone: all others have a further loss, or another one in its place."""

NOT_SHOWN = 'no difference shown'
MEASURE = 'python tools/compare.py configs/losses/*.py --seeds 0-4 --jobs 2'


@dataclass(frozen=True)
class LossAccuracy:
    """A comparison of the configs of single losses with their student alone.

    Args:
        comparison: Comparison with one distilled arm for each config, that of KDLoss alone among them.
    """

    comparison: Comparison

    def __post_init__(self) -> None:
        if KD not in self._rows:
            raise ValueError(f'got a comparison of {", ".join(self._rows)}; expected {KD!r} among them')

    @classmethod
    def read(cls, content: Mapping) -> 'LossAccuracy':
        """Read what ``tools/compare.py`` saved.

        Args:
            content: Content of ``compare.json``.

        Raises:
            ValueError: It is of another format, or without the config of KDLoss.
        """
        return cls(Comparison.from_dict(content))

    @property
    def _rows(self) -> dict[str, Row]:
        names, rows = list(self.comparison.configs), self.comparison.sections[0].distilled
        return dict(zip(names, rows, strict=True))

    @property
    def ranked(self) -> list[str]:
        """Names of the configs by their mean gain over the student alone, the largest first."""
        return sorted(self._rows, key=lambda name: -self._gain(name).mean)

    def ranking(self, title: Callable[[str], str]) -> str:
        """Return all configs in a table, in markdown.

        Args:
            title: Name of the loss of a config, by the config's name.
        """
        alone = self.comparison.sections[0].alone
        head = ['', 'loss', 'acc/top1 on test', 'worst seed', 'over the student alone', 'over KDLoss alone']
        lines = [head, ['---:', '---', *['---:'] * 4]]
        for place, name in enumerate(self.ranked, 1):
            row = self._rows[name]
            over_kd = '' if name == KD else _difference(self._over_kd(name))
            cells = [str(place), title(name), _spread(row), _percent(row.worst), _difference(self._gain(name)), over_kd]
            lines.append(cells)
        lines.append(['', 'student alone', _spread(alone), _percent(alone.worst), '', ''])
        lines += [['', each.name, _percent(each.score), '', '', ''] for each in self.comparison.teachers]
        return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)

    def line(self, name: str) -> str:
        """Return the result of one config, in a line.

        Args:
            name: Name of the config.
        """
        row, place = self._rows[name], self.ranked.index(name) + 1
        text = f'- `{name}`: {_spread(row)} % on test over {len(row.known)} seeds, worst {_percent(row.worst)}; '
        text += f'{_difference(self._gain(name))} over the student alone'
        text += '' if name == KD else f'; {_difference(self._over_kd(name))} over KDLoss alone'
        return f'{text}. Place {place} of {len(self._rows)}.'

    def knows(self, name: str) -> bool:
        """Return whether a config was measured."""
        return name in self._rows

    def note(self) -> str:
        """Return how it was measured."""
        seeds = len(self.comparison.seeds)
        return (
            f'Last checkpoint, scored on test; mean and sample standard deviation over {seeds} seeds. Differences are '
            f'paired by seed, with the 95 % interval by Student\'s t; "{NOT_SHOWN}": this or the interval by bootstrap '
            'holds zero. All terms are balanced and nothing was tuned for a loss. Neighbours in this ranking differ by '
            'less than their intervals; another pair or other data may rank them otherwise.'
        )

    def _gain(self, name: str) -> Gain:
        return _known(self._rows[name], self.comparison.sections[0].alone)

    def _over_kd(self, name: str) -> Gain:
        return _known(self._rows[name], self._rows[KD])


def _known(row: Row, other: Row) -> Gain:
    gain = gain_of(row, other)
    if gain is None:
        raise ValueError(f'{row.arm} has no seed in common with {other.arm}; run the comparison to its end')
    return gain


def _percent(score: float | None) -> str:
    return '-' if score is None else f'{100 * score:.2f}'


def _spread(row: Row) -> str:
    return _percent(row.mean) if row.deviation is None else f'{_percent(row.mean)} ± {_percent(row.deviation)}'


def _difference(gain: Gain) -> str:
    text, interval = _signed(gain.mean), gain.student
    if interval is not None:
        text += f' ({_signed(interval.low)} to {_signed(interval.high)})'
    return text if gain.is_shown is not False else f'{text}, {NOT_SHOWN}'


def _signed(value: float) -> str:
    return f'{round(100 * value, 2) + 0.0:+.2f}'  # the sum turns -0.0 into 0.0
