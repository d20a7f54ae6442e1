"""A recognizer that runs with parameters other than its own."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.restoring import eval_mode
from mmkd_video.recognizers.input_form import shallow
from mmkd_video.taps import TapSet

STUDENT = 'student.'


class Learner:
    """A plain recognizer, or a distiller with its student, as meta-learning sees it.

    Nothing of the recognizer is changed: ``torch.func.functional_call`` puts other parameters in its place for one
    pass. Running statistics of batch norms are those of the model's own parameters: a pass with others works on copies,
    which are dropped.

    Args:
        model: A recognizer, or a distiller with ``student`` and ``training_state``.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.student: nn.Module = vars(model)['_modules'].get(STUDENT[:-1], model)
        self._pooled: TapSet | None = None

    @property
    def has_teacher(self) -> bool:
        """Whether there are terms beside the student's own losses."""
        return self.student is not self.model

    def parameters(self) -> dict[str, Tensor]:
        """Return the trainable parameters of the student, by its own names."""
        return {name: each for name, each in self.student.named_parameters() if each.requires_grad}

    def prepare(self, batch: Mapping, training: bool) -> dict:
        """Return a batch of the loader as the model takes it.

        Args:
            batch: Batch of the loader, or a part of it.
            training: Whether teachers are to see it too.
        """
        return self.model.data_preprocessor(dict(batch), training)

    def losses(self, batch: Mapping, parameters: Mapping[str, Tensor] | None = None, terms: bool = True) -> dict:
        """Return the losses of a prepared batch.

        Args:
            batch: Prepared batch.
            parameters: The student's parameters, by name; None: its own.
            terms: Whether terms take part; without, the losses are those of the student alone.
        """
        model, prefix = (self.model, STUDENT) if terms and self.has_teacher else (self.student, '')
        inputs = dict(batch, inputs=shallow(batch['inputs']))
        if not (terms and self.has_teacher):
            inputs.pop('views', None)
        return self._call(model, prefix, parameters, dict(inputs, mode='loss'))

    def objective(self, losses: Mapping[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the sum of losses, and what is logged of them.

        Args:
            losses: Losses and values to log, by name.
        """
        return self.model.parse_losses(dict(losses))

    def term_losses(self, losses: Mapping[str, Any]) -> dict[str, Any]:
        """Return a distiller's losses without the student's own.

        Args:
            losses: Result of :meth:`losses`.
        """
        terms = [f'loss_{name}' for name in self.model.training_state.terms]
        teachers = tuple(f'loss_{name}_' for name in self.model.teachers)
        return {
            key: value
            for key, value in losses.items()
            if 'loss' not in key or key in terms or (teachers and key.startswith(teachers))
        }

    def scores(self, batch: Mapping, parameters: Mapping[str, Tensor]) -> Tensor:
        """Return the class scores of a prepared batch as a test of the recognizer does, ``(N, K)``.

        Args:
            batch: Prepared batch.
            parameters: The student's parameters, by name.
        """
        inputs = dict(inputs=shallow(batch['inputs']), data_samples=batch['data_samples'], mode='predict')
        found = self._call(self.student, '', parameters, inputs)
        scores = [sample.pred_score for sample in found]
        return torch.stack([each.mean(dim=0) if each.ndim == 2 else each for each in scores])

    def pooled(self, batch: Mapping, terms: bool = False) -> tuple[Tensor, dict[str, Any]]:
        """Return the vector that the student's classifier reads, ``(N, C)``, and the losses of the terms.

        Args:
            batch: Prepared batch.
            terms: Whether the terms are computed, in the same pass.
        """
        if self._pooled is None:
            self._pooled = TapSet(self.student, ['pooled'], 'student')
        losses: dict[str, Any] = {}
        with self._pooled.watch():
            if terms and self.has_teacher:
                losses = self.term_losses(self.losses(batch))
            else:
                self.student(shallow(batch['inputs']), mode='tensor', stage='head')
        found = self._pooled.read(batch['inputs'])['pooled']
        return found.unflatten(0, (len(batch['data_samples']), -1)).mean(dim=1), losses

    @contextmanager
    def tested(self, statistics: str) -> Iterator[None]:
        """Let the student run as in a test while the block runs, its statistics staying as they are.

        Args:
            statistics: ``'running'``: batch norms use their running statistics; ``'batch'``: those of the clips of
                each pass.
        """
        self.student.train()
        with self.judged(statistics):
            yield

    @contextmanager
    def judged(self, statistics: str) -> Iterator[None]:
        """As :meth:`tested`, of a student in the midst of its training: what is frozen stays so.

        Args:
            statistics: Statistics of batch norms that are in training, as of :meth:`tested`.
        """
        norms = [each for each in self.student.modules() if isinstance(each, _BatchNorm) and each.training]
        with eval_mode(self.student):
            if statistics == 'batch':
                for norm in norms:
                    norm.training = True
            yield

    def expect_no_recomputing(self, recomputed: object) -> None:
        """Refuse activation checkpoints: their second pass would run with the model's own parameters.

        Args:
            recomputed: ``activation_checkpointing`` of the config.

        Raises:
            ValueError: There are some.
        """
        asked = [name for name, each in self.student.named_modules() if getattr(each, 'with_cp', False)]
        if recomputed or asked:
            where = 'activation_checkpointing' if recomputed else f'model: with_cp of {asked[0]}'
            raise WrongValueError(
                f'{where}: got activation checkpoints; expected none, as the second pass would not run with the '
                'adapted parameters; leave them out'
            )

    def _call(self, model: nn.Module, prefix: str, parameters: Mapping[str, Tensor] | None, inputs: dict) -> Any:
        if parameters is None:
            return model(**inputs)
        given = {prefix + name: value for name, value in parameters.items()}
        given |= {prefix + name: buffer.clone() for name, buffer in self.student.named_buffers()}
        return functional_call(model, given, kwargs=inputs)


def gradients_of(objective: Tensor, parameters: Sequence[Tensor], more: bool = False) -> list[Tensor]:
    """Return the gradient of an objective for each parameter, zeros where it does not depend on one.

    Args:
        objective: 0-d.
        parameters: The parameters.
        more: Whether other gradients of it will be asked for, so that its graph is kept.
    """
    found = torch.autograd.grad(objective, parameters, allow_unused=True, retain_graph=more)
    return [torch.zeros_like(p) if g is None else g.detach() for p, g in zip(parameters, found, strict=True)]
