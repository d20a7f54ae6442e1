"""Whether the statistics that normalise a teacher's features are that teacher's."""

import logging
from collections.abc import Iterable, Mapping

from mmengine.logging import print_log

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.teachers import Teacher
from mmkd_video.terms import Term


def warn_of_foreign_statistics(terms: Iterable[Term], teachers: Mapping[str, Teacher]) -> None:
    """Log a warning for each term whose ``target_norm`` has statistics of another teacher than it reads.

    Args:
        terms: All of them.
        teachers: The teachers by name.
    """
    for term in terms:
        for pair in term.pairs:
            measured = getattr(pair.target_norm, 'teacher', None)
            if measured is None:
                continue
            teacher = teachers[term.teacher]
            part = teacher.parts.get(pair.taps[1].partition('.')[0], teacher)
            try:
                found = part.fingerprint
            except WrongValueError:  # of a kind that has none
                continue
            if found != measured:
                print_log(
                    f'term {term.name!r}.target_norm: its statistics are of another teacher (fingerprint {measured}) '
                    f'than {part.name} ({found}); make them again with tools/feature_statistics.py',
                    logger='current',
                    level=logging.WARNING,
                )
