"""How much of the student's own losses a recipe keeps, so that arms can be compared."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmkd_video.recognizers.plain_student import DISTILLERS
from mmkd_video.terms.default_weights import DEFAULT_SHARE

BALANCED = 'Balanced'


def task_factor(config: Mapping[str, Any]) -> float | None:
    """Return the factor of the student's own losses in what a training logs; None where it is not one number.

    It is ``task_weight`` times what balanced terms leave of it.

    Args:
        config: The config of a run, as plain data.
    """
    model = config.get('model')
    if not isinstance(model, Mapping):
        return None
    if model.get('type') not in DISTILLERS:
        return 1.0
    weight, terms = model.get('task_weight', 1.0), model.get('terms') or []
    if (
        not _is_number(weight)
        or not isinstance(terms, Sequence)
        or not all(isinstance(each, Mapping) for each in terms)
    ):
        return None
    shares = [_share(term, terms, weight) for term in terms]
    if any(share is None for share in shares):
        return None
    factor = weight * (1 - sum(shares))
    return factor if factor > 0 else None


def _share(term: Mapping, terms: Sequence[Mapping], task_weight: float) -> float | None:
    """Return the share that a term takes; None where it changes in the course of training, or is not known."""
    weight = term.get('weight')
    if weight is None and task_weight != 0:
        share: Any = DEFAULT_SHARE / sum(each.get('weight') is None for each in terms)
    elif isinstance(weight, Mapping) and weight.get('type') == BALANCED:
        share = weight.get('share', DEFAULT_SHARE)
    else:
        return 0.0
    acts_always = term.get('begin') in (None, 0) and term.get('end') is None
    return share if acts_always and _is_number(share) else None


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 1e9
