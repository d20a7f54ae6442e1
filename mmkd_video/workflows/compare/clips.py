"""The scores of runs for each clip of test."""

from collections.abc import Sequence

import numpy as np

from mmkd_video.evaluation import ScoredClips
from mmkd_video.workflows.compare.runs import Run
from mmkd_video.workflows.compare.teachers import TestedTeacher
from mmkd_video.workflows.train.run_folder import SCORES


def scored_clips(run: Run) -> ScoredClips | None:
    """Return the scores of a run for each clip of test; None where it left no file."""
    return ScoredClips.read(run.folder.path / SCORES)


def agreement_of(run: Run, teacher: TestedTeacher) -> float | None:
    """Return the fraction of test clips on which a run and a teacher agree; None where it is not known."""
    student, taught_by = scored_clips(run), scored_clips(teacher.run)
    if student is None or taught_by is None:
        return None
    return student.agreement(taught_by, teacher.classes)


def correct_by_clip(runs: Sequence[Run]) -> list[float] | None:
    """Return the fraction of runs that got each test clip right.

    None where a run left no file, or of other clips, or where clips have several labels or none.
    """
    found = [scored_clips(run) for run in runs]
    if None in found or any(not np.array_equal(each.names, found[0].names) for each in found):
        return None
    if (found[0].labels < 0).any():
        return None
    return np.mean([each.correct for each in found], axis=0).tolist()


def chance_of(runs: Sequence[Run]) -> float | None:
    """Return the accuracy of always giving the most frequent answer on test; None where no run left a file."""
    found = next((clips for clips in map(scored_clips, runs) if clips is not None), None)
    return found.chance if found is not None else None
