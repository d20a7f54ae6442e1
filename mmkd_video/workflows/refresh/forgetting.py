"""What a student knows of old and of new clips, and what it forgot."""

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from mmkd_video.core.text_table import aligned
from mmkd_video.evaluation.clip_scores import ScoredClips


@dataclass(frozen=True)
class Knowledge:
    """What a refreshed student, or one trained otherwise, answers on the test clips.

    Attributes:
        old: Share of the old clips that are classified correctly, 0 to 1.
        new: Share of the new ones; None where there are none.
        whole: Share of all.
        forgotten: Share of the old clips that were classified correctly before, minus ``old`` (Chaudhry et al., 2018,
            https://arxiv.org/abs/1801.10112, equation 3, for one task before).
        lost: Share of the old clips that were right before and are wrong now.
        taken: Share of the old clips that are taken for a new class.
        by_class: Share of each old class's clips that are classified correctly, by label.
    """

    old: float
    new: float | None
    whole: float
    forgotten: float
    lost: float
    taken: float
    by_class: Mapping[int, float]


def knowledge(before: ScoredClips, now: ScoredClips, classes: int) -> Knowledge:
    """Compare a student with the one before.

    Args:
        before: Scores of the old student on the old test clips.
        now: Scores of the other one on these and on the new test clips.
        classes: Number of old classes.
    """
    right_before = dict(zip(before.names.tolist(), before.correct.tolist(), strict=True))
    is_old = np.array([name in right_before for name in now.names.tolist()])
    labels, answers, right = now.labels[is_old], now.probabilities[is_old].argmax(axis=1), now.correct[is_old]
    was_right = np.array([right_before[name] for name in now.names[is_old].tolist()])
    return Knowledge(
        old=float(right.mean()),
        new=None if is_old.all() else float(now.correct[~is_old].mean()),
        whole=float(now.correct.mean()),
        forgotten=float(was_right.mean() - right.mean()),
        lost=float((was_right & ~right).mean()),
        taken=float((answers >= classes).mean()),
        by_class={int(label): float(right[labels == label].mean()) for label in np.unique(labels)},
    )


def report(
    before: ScoredClips, found: Mapping[str, Sequence[Knowledge]], names: Sequence[str], notes: Collection[str] = ()
) -> str:
    """Return the tables of a report: all arms, and each old class.

    Args:
        before: Scores of the old student on the old test clips.
        found: Results of each arm, one for each seed.
        names: Names of the classes.
        notes: Lines that stand below the tables.
    """
    count, accuracy = len(before.names), float(before.correct.mean())
    rows = [('', 'old clips', 'new clips', 'all', 'forgotten', 'lost', 'taken for new')]
    rows.append(('before', _share([accuracy]), '-', '-', '-', '-', '-'))
    for arm, several in found.items():
        cells = ('old', 'new', 'whole', 'forgotten', 'lost', 'taken')
        rows.append((arm, *(_share([getattr(each, key) for each in several]) for key in cells)))
    classes = [('old class', 'before', *found)]
    for label in np.unique(before.labels).tolist():
        was = float(before.correct[before.labels == label].mean())
        values = (_share([each.by_class[label] for each in several]) for several in found.values())
        classes.append((names[label], _share([was]), *values))
    seeds = max(map(len, found.values()), default=1)
    spread = f'; mean and standard deviation of {seeds} seeds' if seeds > 1 else ''
    head = f'Test clips, in per cent, {count} of them old{spread}.'
    told = [
        'forgotten: accuracy on old clips before, minus now; lost: right before and wrong now; taken for new: old '
        'clips that are taken for a new class.'
    ]
    return '\n'.join([head, '', *aligned(rows), '', *aligned(classes), '', *told, *notes]) + '\n'


def as_dict(before: ScoredClips, found: Mapping[str, Sequence[Knowledge]]) -> dict:
    """Return the content of a report, ready for JSON.

    Args:
        before: Scores of the old student on the old test clips.
        found: Results of each arm, one for each seed.
    """
    arms = {arm: [asdict(each) for each in several] for arm, several in found.items()}
    return dict(before=float(before.correct.mean()), old_clips=len(before.names), arms=arms)


def _share(values: Sequence[float | None]) -> str:
    if None in values:
        return '-'
    shown = f'{100 * statistics.fmean(values):.1f}'
    return shown if len(values) < 2 else f'{shown} ± {100 * statistics.stdev(values):.1f}'
