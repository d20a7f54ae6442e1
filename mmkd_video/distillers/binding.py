"""What the training state of a distiller is built from: an example of every feature that a term reads."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.token_subset import TokenSubset
from mmkd_video.distillers.training_state import TrainingState
from mmkd_video.teachers import Probe, Teacher
from mmkd_video.terms import Term, TermSpec


def taps_read(specs: Sequence[TermSpec], teacher: str) -> list[str]:
    """Return the places of a teacher that terms read.

    Args:
        specs: The terms.
        teacher: The teacher's name.
    """
    return [tap for spec in specs if spec.teacher == teacher for _, tap in spec.pairs]


def student_taps(specs: Sequence[TermSpec], teachers: Mapping[str, Teacher]) -> list[str]:
    """Return the places of the student that terms or teachers read.

    Args:
        specs: The terms.
        teachers: The teachers by name.
    """
    found = [tap for spec in specs for tap, _ in spec.pairs]
    for name, teacher in teachers.items():
        found += teacher.student_taps
        found += taps_read(specs, name) if teacher.is_student else []
    return found


def bind(teacher: Teacher, read: Sequence[str], probe: Probe, more: Sequence[str] = ()) -> dict[str, Tensor]:
    """Tell a teacher where terms will read it.

    Args:
        teacher: The teacher.
        read: The places that terms read of it.
        probe: The student, and examples of its features.
        more: Places that the student's mask reads.

    Returns:
        One example ``(1, ...)`` of each feature, without a graph.

    Raises:
        KeyError: A term or the mask reads a place that the teacher does not have.
    """
    # the logits are always asked for: the teacher's own accuracy on the first batches is reported from them
    read = [*read, *more]
    found = teacher.bind(['logits', *read], probe)
    lacking = [tap for tap in read if tap not in found]
    if lacking:
        raise WrongKeyError(
            f'{teacher.name}: {"masking" if lacking[0] in more else "a term"} reads {lacking[0]!r}, which this '
            f'{type(teacher).__name__} does not have; expected one of {", ".join(found) or "none"}'
        )
    return {tap: feature.detach().cpu() for tap, feature in found.items()}


def build_state(
    specs: Sequence[TermSpec],
    teachers: Mapping[str, Teacher],
    student: Mapping[str, Tensor],
    examples: Mapping[str, Mapping[str, Tensor]],
    seen: TokenSubset | None = None,
) -> TrainingState:
    """Build connectors and losses to fit, beside what teachers train or keep.

    Args:
        specs: The terms.
        teachers: The teachers by name, bound.
        student: An example of each of the student's features, by tap.
        examples: An example of each feature, by teacher and tap.
        seen: The tokens that the student saw in these examples; None for all.

    Raises:
        ValueError: A loss asks for a classifier that its teacher does not have.
    """
    terms = [Term(spec, student, examples[spec.teacher], teachers[spec.teacher].norm_before, seen) for spec in specs]
    for term in terms:
        if 'teacher_head' in term.needs:
            teachers[term.teacher].classifier()  # says so now where there is none
    kept = {name: teacher.state for name, teacher in teachers.items() if teacher.state is not None}
    return TrainingState(terms, kept)


def views_of(teacher: Teacher, views: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the views of all parts of a teacher that see clips, by name.

    Args:
        teacher: The teacher.
        views: All views of a batch, by name.

    Raises:
        ValueError: One is missing.
    """
    seeing = [name for name, part in teacher.parts.items() if part.view is not None]
    for name in seeing:
        if name not in views:
            raise WrongValueError(
                f'the batch holds no view for {name!r} (it holds {list(views)}); in training, batches must pass '
                'through model.data_preprocessor(data, training=True)'
            )
    return {name: views[name] for name in seeing}
