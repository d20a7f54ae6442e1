"""Whether student, teachers and terms agree on how many labels a clip has."""

from collections.abc import Iterable, Mapping, Sequence

from torch import nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.distillers.binding import taps_read
from mmkd_video.recognizers.families import expect_own_scores, scores_each_class
from mmkd_video.teachers import Teacher
from mmkd_video.terms import Term, TermSpec
from mmkd_video.weightings import ClipWeighting

REASON = 'which scores each class by itself (multi_class=True or BCELossWithLogits), as clips have several labels'


def expect_same_labels(
    student: nn.Module, teachers: Mapping[str, Teacher], terms: Iterable[Term], specs: Sequence[TermSpec]
) -> None:
    """Refuse what compares one distribution over all classes where a head scores each class by itself.

    Args:
        student: The student.
        teachers: The teachers by name.
        terms: All of them.
        specs: Their settings.

    Raises:
        ValueError: A term, a weighting of clips or a teacher takes class scores as one distribution, or the student
            averages clips by such.
    """
    several = scores_each_class(student.cls_head)
    if several:
        expect_own_scores(student.cls_head, 'student')
        for name, teacher in teachers.items():
            use = teacher.one_label_use(taps_read(specs, name))
            if use:
                raise WrongValueError(
                    f'{name}: {use} one distribution over all classes, but the student has a '
                    f'{type(student.cls_head).__name__} {REASON}; expected a FrozenTeacher with BinaryKDLoss'
                )
    for term in terms:
        module = teachers[term.teacher].module
        sides = {'student': student, term.teacher: module}
        heads = {side: getattr(each, 'cls_head', None) for side, each in sides.items() if each is not None}
        found = next((side for side, head in heads.items() if head is not None and scores_each_class(head)), None)
        if found is not None:
            _check_term(term, f'{found} has a {type(heads[found]).__name__} {REASON}')


def _check_term(term: Term, why: str) -> None:
    own = getattr(term.loss, 'several_labels', False)
    of_scores = any(pair.scores and pair.layouts == ('logits',) for pair in term.pairs)
    if of_scores and not own:
        raise WrongValueError(
            f'term {term.name!r}: {type(term.loss).__name__} compares one distribution over all classes, but {why}; '
            'expected BinaryKDLoss, or a loss that says several_labels = True'
        )
    if isinstance(term.weighting, ClipWeighting) and not getattr(term.weighting, 'several_labels', False):
        raise WrongValueError(
            f'term {term.name!r}.weight: {type(term.weighting).__name__} reads class scores as one distribution over '
            f'all classes, but {why}; expected a number, weight=1.0'
        )
