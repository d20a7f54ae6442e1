"""What distillation has changed in the answers: gains of classes, confusions, clips."""

from dataclasses import dataclass

import numpy as np

from mmkd_video.workflows.report.answers import Answers


@dataclass(frozen=True)
class Paired:
    """Answers of two arms for the same clips and seeds.

    Args:
        alone: Those of the student alone.
        taught: Those of the distilled student.
    """

    alone: Answers
    taught: Answers

    @property
    def count(self) -> int:
        """Number of seeds."""
        return len(self.alone.seeds)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.alone.mean.shape[1]

    def recalls(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the share of clips of each class that is answered right, ``(S, K)`` each; NaN for a class without."""
        return self._recall(self.alone), self._recall(self.taught)

    def support(self) -> np.ndarray:
        """Return the number of clips of each class, ``(K,)``."""
        return np.bincount(self.alone.labels, minlength=self.classes)

    def confusions(self) -> tuple[np.ndarray, np.ndarray]:
        """Return how many clips of a class (rows) got which answer (columns), the mean over seeds, ``(K, K)`` each."""
        return self._confusion(self.alone), self._confusion(self.taught)

    def flips(self) -> dict[str, float]:
        """Return how many clips are right or wrong with both students or with one, the mean over the seeds."""
        before, after = self.alone.correct, self.taught.correct
        return dict(
            both=float((before & after).sum() / self.count),
            mended=float((~before & after).sum() / self.count),
            made=float((before & ~after).sum() / self.count),
            neither=float((~before & ~after).sum() / self.count),
        )

    def _recall(self, answers: Answers) -> np.ndarray:
        support = self.support().astype(float)
        support[support == 0] = np.nan
        hits = [np.bincount(answers.labels[right], minlength=self.classes) for right in answers.correct]
        return np.stack(hits) / support

    def _confusion(self, answers: Answers) -> np.ndarray:
        matrix = np.zeros((self.classes, self.classes))
        for each in answers.answers:
            np.add.at(matrix, (answers.labels, each), 1)
        return matrix / self.count


@dataclass(frozen=True)
class Confusion:
    """One class taken for another.

    Args:
        label: Index of the true class.
        answer: Index of the class that was answered.
        alone: Clips for which the student alone did so, the mean over the seeds.
        taught: The same of the distilled student.
    """

    label: int
    answer: int
    alone: float
    taught: float

    @property
    def change(self) -> float:
        """Clips more with the distilled student."""
        return self.taught - self.alone


def paired(alone: Answers | None, taught: Answers | None) -> Paired | None:
    """Return the answers of two arms for the seeds that both have; None where they cannot be compared.

    Args:
        alone: Answers of the student alone.
        taught: Answers of the distilled student.
    """
    if alone is None or taught is None or not alone.is_like(taught) or (alone.labels != taught.labels).any():
        return None
    both = [seed for seed in alone.seeds if seed in taught.seeds]
    if not both:
        return None
    return Paired(alone.of_seeds(both), taught.of_seeds(both))


def changed_confusions(found: Paired, most: int) -> tuple[list[Confusion], list[Confusion]]:
    """Return the confusions that are mended and those that are made, the largest change first.

    Args:
        found: Answers of both students.
        most: Most confusions of each kind.
    """
    before, after = found.confusions()
    change = after - before
    np.fill_diagonal(change, 0)
    order = np.argsort(change, axis=None, kind='stable')
    chosen = [*order[:most], *order[::-1][:most]]
    pairs = [divmod(int(place), found.classes) for place in dict.fromkeys(chosen)]
    wrong = [(label, answer) for label, answer in pairs if label != answer]
    all_changes = [Confusion(*pair, float(before[pair]), float(after[pair])) for pair in wrong]
    mended = sorted((each for each in all_changes if each.change < 0), key=lambda each: each.change)[:most]
    made = sorted((each for each in all_changes if each.change > 0), key=lambda each: -each.change)[:most]
    return mended, made


def telling_clips(found: Paired, count: int) -> list[tuple[str, int]]:
    """Return the clips that say most, with what they show: mended, broken, hard for both, easy for both.

    Clips of different classes come first.

    Args:
        found: Answers of both students.
        count: Number of clips, at most.
    """
    before, after = found.alone.correct.mean(axis=0), found.taught.correct.mean(axis=0)
    sure = found.taught.confidence.mean(axis=0)
    wishes = [
        ('mended', after - before, after > before, -(-count * 3 // 8)),
        ('made', before - after, before > after, count // 4),
        ('hard', 2 - before - after, (before < 0.5) & (after < 0.5), count // 4),
        ('easy', sure, (before == 1) & (after == 1), count),
    ]
    chosen: dict[int, str] = {}
    for name, worth, fits, most in wishes:
        order = [int(index) for index in np.argsort(-worth, kind='stable') if fits[index] and int(index) not in chosen]
        for index in _of_different_classes(order, found.alone.labels)[: min(most, count - len(chosen))]:
            chosen[index] = name
    return [(name, index) for index, name in chosen.items()]


def _of_different_classes(order: list[int], labels: np.ndarray) -> list[int]:
    seen: dict[int, int] = {}
    rank = {}
    for index in order:
        label = int(labels[index])
        rank[index] = seen[label] = seen.get(label, -1) + 1
    return sorted(order, key=lambda index: rank[index])
