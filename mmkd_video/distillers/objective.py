"""The objective: the sum of the student's own losses and the terms, each with its weight."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mmkd_video.distillers.gradients import GradientWatch, gradient_norms
from mmkd_video.recognizers.recomputing import keeping_statistics
from mmkd_video.schedules import Scalar
from mmkd_video.taps import Place
from mmkd_video.terms import Term
from mmkd_video.weightings import Norms, WeightingStep


class Objective:
    """Weight the losses of a step, those of the task and of all terms.

    Args:
        task_weight: Factor of the student's own losses.
    """

    def __init__(self, task_weight: Scalar) -> None:
        self.task_weight = task_weight
        self.gradients = GradientWatch()

    def __call__(
        self,
        losses: Mapping[str, Any],
        raws: Mapping[str, Tensor],
        terms: Mapping[str, Term],
        places: Mapping[str, Place],
        student: nn.Module,
        iteration: int = 0,
    ) -> dict[str, Any]:
        """Return all losses to sum up and values to log.

        Args:
            losses: The student's own, as its head returns them; keys with ``loss`` are summed.
            raws: 0-d loss of every term, not weighted.
            terms: The terms by name.
            places: Places of the student's taps in this step's graph.
            student: The student.
            iteration: Iteration of the training, from 0; it decides in which steps gradients are measured for the log.
        """
        task = total(losses)
        task_factor = self.task_weight.read(task) * (1.0 - self._shares(terms))
        found = {key: scale(value, task_factor) if 'loss' in key else value for key, value in losses.items()}
        raw_values = {name: raw.detach() for name, raw in raws.items() if terms[name].acting}
        look = iteration % self.gradients.interval == 0 and torch.is_grad_enabled()
        self.gradients.begin_step()
        for name, raw in raws.items():
            term = terms[name]
            read = [places[tap] for tap in dict.fromkeys(pair.taps[0] for pair in term.pairs)]
            measure = self.gradients.once_a_step(name, partial(_measure, student, raw, task, read, term.idle))
            factor: Tensor | float = term.weight.read(raw)
            if term.weighting is not None and term.acting:
                factor = term.weighting(WeightingStep(name, raw_values, task.detach(), measure))
            elif look and term.acting:
                _measure_for_log(measure)
            weighted = raw * factor
            penalty = term.weighting.penalty() if term.weighting is not None and term.acting else None
            found[f'loss_{name}'] = weighted if penalty is None else weighted + penalty
            found[f'{name}_raw'] = raw.detach()
            if term.clip_weight is not None:
                found[f'{name}_clip_weight'] = term.clip_weight
            found |= self.gradients.log_entries(name, factor, task_factor)
        return found

    @staticmethod
    def _shares(terms: Mapping[str, Term]) -> float:
        return sum(term.weighting.share for term in terms.values() if term.weighting is not None and term.acting)


def _measure(student: nn.Module, raw: Tensor, task: Tensor, places: Sequence[Place], idle: bool) -> Norms | None:
    with keeping_statistics(student):
        return gradient_norms(raw, task, places, idle)


def _measure_for_log(measure: Callable[[], Norms | None]) -> None:
    """Measure for the log alone: where that fails, nothing is logged."""
    try:
        measure()
    except ValueError:
        return


def total(losses: Mapping[str, Any]) -> Tensor:
    """Return the sum of all entries whose key holds ``loss``, as MMEngine adds them up."""
    parts = [value for key, value in losses.items() if 'loss' in key]
    flat = [part.mean() for value in parts for part in (value if isinstance(value, (list, tuple)) else [value])]
    return torch.stack(flat).sum()


def nothing_read(student: nn.Module) -> dict[str, Tensor]:
    """Return the losses of a student of whose own pass nothing would be used: zero times every parameter.

    DDP then finds none unused.
    """
    return {'loss_cls': sum(each.sum() for each in student.parameters() if each.requires_grad) * 0.0}


def scale(value: Any, factor: Tensor | float) -> Any:
    """Multiply a loss, or each of a list of losses."""
    if isinstance(factor, float) and factor == 1.0:
        return value
    return [part * factor for part in value] if isinstance(value, list) else value * factor
