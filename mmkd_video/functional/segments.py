"""Segments of a sequence, and how two divisions into segments differ (MS-TCN, https://arxiv.org/abs/1903.01945)."""

import itertools
from collections.abc import Sequence

__all__ = ['edit_score', 'segment_hits', 'segments']

Segment = tuple[int, int, int]


def segments(labels: Sequence[int], left_out: Sequence[int] = (-1,)) -> list[Segment]:
    """Return class, begin and end (one behind the last frame) of each run of one class.

    Args:
        labels: The class of each frame.
        left_out: Classes whose runs are no segments, such as a background.
    """
    starts = [place for place, label in enumerate(labels) if place == 0 or label != labels[place - 1]]
    runs = itertools.pairwise([*starts, len(labels)])
    return [(labels[begin], begin, end) for begin, end in runs if labels[begin] not in left_out]


def edit_score(found: Sequence[Segment], expected: Sequence[Segment]) -> float:
    """Return one less the edit distance of two orders of classes, as a share of the longer one; 0 to 1.

    Args:
        found: Segments of a prediction.
        expected: Segments of the truth.
    """
    ours, theirs = [each[0] for each in found], [each[0] for each in expected]
    row = list(range(len(theirs) + 1))
    for i, label in enumerate(ours, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(theirs, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (label != other))
    return 1.0 - row[-1] / max(len(ours), len(theirs), 1)


def segment_hits(found: Sequence[Segment], expected: Sequence[Segment], overlap: float) -> tuple[int, int, int]:
    """Return how many segments were found, were found wrongly, and were missed.

    A segment counts as found where its intersection with one of its class is at least a share of their union, and no
    segment before it has hit the same one.

    Args:
        found: Segments of a prediction.
        expected: Segments of the truth.
        overlap: Least intersection over union, 0 to 1.
    """
    hit: set[int] = set()
    for label, begin, end in found:
        shares = [
            max(0, min(end, b) - max(begin, a)) / (max(end, b) - min(begin, a)) if label == other else 0.0
            for other, a, b in expected
        ]
        best = max(range(len(shares)), key=shares.__getitem__, default=None)
        if best is not None and shares[best] >= overlap and shares[best] > 0:
            hit.add(best)
    return len(hit), len(found) - len(hit), len(expected) - len(hit)
