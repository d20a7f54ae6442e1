"""What several losses gain over logits alone, at one budget: the numbers and their tables."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

ALONE = 'student alone'


@dataclass(frozen=True)
class Ablation:
    """Scores of a student alone, with the baseline's loss, and with each further loss.

    Args:
        command: Command that made it.
        baseline: Name of the config that all are compared with.
        epochs: Epochs of each training.
        clips: Training clips in an epoch.
        metric: Metric, measured on test with the last checkpoint.
        seeds: Seeds of the runs.
        scores: Scores by name of the config (or ``'student alone'``), one for each seed.
    """

    command: str
    baseline: str
    epochs: int
    clips: int
    metric: str
    seeds: list[int]
    scores: dict[str, list[float]]

    @property
    def names(self) -> list[str]:
        """The configs that were compared with the baseline."""
        return [name for name in self.scores if name not in (ALONE, self.baseline)]

    def gains(self, name: str) -> list[float]:
        """Return the scores of a config minus those of the baseline, seed by seed."""
        return [ours - theirs for ours, theirs in zip(self.scores[name], self.scores[self.baseline], strict=True)]

    def table(self, names: Sequence[str]) -> str:
        """Return a table in markdown: the student alone, the baseline and some configs with their gains.

        Args:
            names: Names of the configs.
        """
        head = ['', *(f'seed {seed}' for seed in self.seeds), f'{self.metric} on test', f'- {self.baseline}']
        lines = [head, ['---', *['---:'] * (len(head) - 1)]]
        for name in (ALONE, self.baseline, *names):
            scores = self.scores[name]
            gain = '' if name in (ALONE, self.baseline) else _spread(self.gains(name), '+.2f')
            lines.append([name, *(f'{100 * score:.2f}' for score in scores), _spread(scores, '.2f'), gain])
        return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)

    def budget(self) -> str:
        """Return what was trained, in a sentence."""
        several = f'mean and sample standard deviation over {len(self.seeds)} seeds'
        spread = several if len(self.seeds) > 1 else 'one seed, which says nothing of the spread'
        return (
            f'{self.epochs} epochs of {self.clips} clips for each run, the last checkpoint scored once on test, '
            f'{spread}; weights as shipped, nothing tuned, no result left out.'
        )

    def as_dict(self) -> dict:
        """Return every number."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping) -> 'Ablation':
        """Read back what :meth:`as_dict` gave."""
        return cls(**saved)


def _spread(values: Sequence[float], form: str) -> str:
    mean = format(round(100 * statistics.fmean(values), 2) + 0.0, form)  # the sum turns -0.0 into 0.0
    return mean if len(values) < 2 else f'{mean} ± {100 * statistics.stdev(values):.2f}'
