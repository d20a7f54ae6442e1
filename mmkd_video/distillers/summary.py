"""The table of terms that is logged once, when a distiller is built."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from mmkd_video.core.text_table import aligned

HEADER = ('term', 'loss', 'weight', 'student tap', 'shape', 'teacher tap', 'shape', 'connector', 'params')


def count_parameters(module: nn.Module | None) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad) if module is not None else 0


def term_table(
    terms: Sequence[nn.Module], student: Mapping[str, Tensor], teachers: Mapping[str, Mapping[str, Tensor]]
) -> str:
    """Return the table of all terms: what is compared with what.

    Args:
        terms: The terms.
        student: Student features of the dry run, by tap.
        teachers: Teacher features of the dry run, by teacher and tap.

    Returns:
        Aligned lines, one for each pair of taps.
    """
    rows: list[tuple[str, ...]] = [HEADER]
    for term in terms:
        weight = _weight(term)
        for index, pair in enumerate(term.pairs):
            ours, theirs = pair.taps
            connector = pair.connector if term.fusion is None else term.fusion
            rows.append(
                (
                    term.name,
                    type(term.loss).__name__,
                    weight,
                    ours,
                    _shape(student[ours]),
                    theirs if len(teachers) == 1 else f'{term.teacher}: {theirs}',
                    _shape(teachers[term.teacher][theirs]),
                    type(connector).__name__ if connector is not None else '-',
                    f'{count_parameters(connector if term.fusion is None or index == 0 else None):,}',
                )
            )
    return '\n'.join(aligned(rows, left=len(HEADER)))


def _weight(term: nn.Module) -> str:
    if term.weighting is not None:
        share = f' {term.weighting.share:g}' if term.weighting.share else ''
        return type(term.weighting).__name__.removesuffix('Weighting') + share
    schedule = term.weight.schedule
    return f'{term.weight.fixed:g}' if schedule is None else type(schedule).__name__.removesuffix('Schedule')


def _shape(feature: Tensor) -> str:
    return '(N, ' + ', '.join(str(size) for size in feature.shape[1:]) + ')'
