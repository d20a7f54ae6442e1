"""What teacher and students say about each clip of test, over all seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmkd_video.core.files.arrays import read_arrays
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.workflows.report.folder import WorkDir
from mmkd_video.workflows.train.run_folder import SCORES

LARGEST = 1 << 31  # bytes of a file of scores that are read at all
_TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Answers:
    """The answers of one model, or of one arm over its seeds.

    Args:
        seeds: Seed of each run; None where it is not known.
        answers: Most probable class, ``(S, N)``.
        confidence: Its probability, ``(S, N)``.
        surprise: Negative log-likelihood of the label in nats, ``(S, N)``.
        mean: Probabilities, the mean over the seeds, ``(N, K)``.
        labels: ``(N,)``.
        names: Paths of the clips, ``(N,)``.
    """

    seeds: list[int | None]
    answers: np.ndarray
    confidence: np.ndarray
    surprise: np.ndarray
    mean: np.ndarray
    labels: np.ndarray
    names: np.ndarray

    @property
    def correct(self) -> np.ndarray:
        """Whether an answer is the label, ``(S, N)``."""
        return self.answers == self.labels

    def is_like(self, other: 'Answers') -> bool:
        """Return whether both are about the same clips, in one order, and as many classes."""
        return self.mean.shape == other.mean.shape and np.array_equal(self.names, other.names)

    def of_seeds(self, seeds: Sequence[int | None]) -> 'Answers':
        """Return the answers of some of the seeds, in their order; the mean stays that of all."""
        rows = [self.seeds.index(seed) for seed in seeds]
        return Answers(
            list(seeds),
            self.answers[rows],
            self.confidence[rows],
            self.surprise[rows],
            self.mean,
            self.labels,
            self.names,
        )


def read_scores(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read the scores of one run, without the clips that have no single label.

    Args:
        path: The file that a test left.

    Returns:
        Probabilities ``(N, K)``, labels ``(N,)`` and names ``(N,)``.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is damaged.
    """
    if path.stat().st_size > LARGEST:
        raise WrongValueError(f'{path}: larger than {LARGEST >> 30} GiB; expected scores of a test')
    try:
        arrays = read_arrays(path)
        probabilities, labels, names = (arrays[key] for key in ('probabilities', 'labels', 'names'))
    except Exception as error:  # numpy and zipfile raise many types on a damaged file
        raise WrongValueError(f'{path}: cannot be read as scores of a test ({type(error).__name__})') from None
    is_whole = (
        (probabilities.ndim, labels.ndim, names.ndim) == (2, 1, 1)
        and (probabilities.dtype.kind, labels.dtype.kind, names.dtype.kind) == ('f', 'i', 'U')
        and len(probabilities) == len(labels) == len(names) > 0
        and np.isfinite(probabilities).all()
        and (labels < probabilities.shape[1]).all()
    )
    if not is_whole:
        raise WrongValueError(f'{path}: expected finite probabilities, labels and names of the same clips')
    kept = labels >= 0
    if not kept.any():
        raise WrongValueError(f'{path}: no clip has exactly one label, so nothing is said about single classes')
    return probabilities[kept], labels[kept], names[kept]


def read_answers(work: WorkDir, arm: str) -> Answers | None:
    """Read the scores of all runs of an arm; None where there are none. Problems are added to the work dir's.

    Args:
        work: Work dir.
        arm: Name of the arm.
    """
    return _gathered([(run.seed, run.scores) for run in work.runs_of(arm)], work.problems)


def read_teacher(work: WorkDir) -> Answers | None:
    """Read the scores of the teacher's own test; None where there are none.

    Args:
        work: Work dir.
    """
    return None if work.teacher is None else _gathered([(None, work.teacher / SCORES)], work.problems)


def expected_error(confidence: np.ndarray, correct: np.ndarray, bins: int) -> float:
    """Return the expected calibration error, 0 to 1: how far confidence and accuracy lie apart, weighted by clips.

    Args:
        confidence: Probabilities of the answers.
        correct: Whether they are right, of the same shape.
        bins: Number of bins of equal width.
    """
    counts, confidences, accuracies = reliability(confidence, correct, bins)
    gaps = np.abs(np.nan_to_num(confidences - accuracies))
    return float((counts * gaps).sum() / max(counts.sum(), 1))


def reliability(confidence: np.ndarray, correct: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return number of answers, mean confidence and accuracy in each bin of confidence; NaN where it is empty.

    Args:
        confidence: Probabilities of the answers.
        correct: Whether they are right, of the same shape.
        bins: Number of bins of equal width.
    """
    place = np.clip(np.ceil(confidence.ravel() * bins).astype(int) - 1, 0, bins - 1)  # as Guo et al.: (low, high]
    counts = np.bincount(place, minlength=bins)
    divisor = np.where(counts > 0, counts, math.nan)
    sums = [np.bincount(place, each.ravel().astype(float), bins) for each in (confidence, correct)]
    return counts, sums[0] / divisor, sums[1] / divisor


def _gathered(files: Sequence[tuple[int | None, Path]], problems: list[str]) -> Answers | None:
    seeds, rows, total, known = [], [], None, None
    missing = [path for _, path in files if not path.is_file()]
    if missing:
        problems.append(
            f'{missing[0]}{f" and {len(missing) - 1} more" if len(missing) > 1 else ""}: not there, so classes, '
            'calibration and clips are without these runs; compare writes it, train does not'
        )
    for seed, path in files:
        if path in missing:
            continue
        try:
            probabilities, labels, names = read_scores(path)
        except (OSError, ValueError) as error:
            problems.append(str(error))
            continue
        if known is not None and not _same(known, (labels, names, probabilities.shape[1])):
            problems.append(f'{path}: of other clips or classes than the runs before it; left out')
            continue
        known = (labels, names, probabilities.shape[1])
        exact = probabilities.astype(np.float64)
        of_label = np.maximum(exact[np.arange(len(labels)), labels], _TINY)
        seeds.append(seed)
        rows.append((exact.argmax(axis=1), exact.max(axis=1), -np.log(of_label)))
        total = exact if total is None else total + exact
    if known is None:
        return None
    answers, confidence, surprise = (np.stack(each) for each in zip(*rows, strict=True))
    return Answers(seeds, answers, confidence, surprise, total / len(rows), known[0], known[1])


def _same(known: tuple, other: tuple) -> bool:
    return all(np.array_equal(one, two) for one, two in zip(known, other, strict=True))
