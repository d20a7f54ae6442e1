"""The interface between hooks and a model: protocols, and how hooks find out which of them a model has.

A model has an ability by having its members; nothing is registered and nothing inherited. A plain recognizer has none
of them: hooks then treat the recognizer itself, or leave it alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mmkd_video.core.model_wrapper import unwrapped
from mmkd_video.pruning import TensorCuts


class HasStudent(Protocol):
    """A model with a part that is trained, tested and shipped."""

    student: nn.Module


class HasTeachers(Protocol):
    """A model with teachers; hooks read ``config`` and ``fingerprint`` of their ``parts`` and let these predict."""

    teachers: Mapping[str, Any]


class HasTerms(Protocol):
    """A model with terms; hooks read whether they act and set their ends."""

    training_state: Any


class Prunable(Protocol):
    """A model with a part that may lose channels, or be quantized, in training."""

    @property
    def prunable(self) -> nn.Module:
        """Return that part; it has the history of its pruning."""


class FollowsPruning(Protocol):
    """A model with layers beside its prunable part, which must fit it."""

    @property
    def copies(self) -> Sequence[nn.Module]:
        """Return copies of the prunable part; they lose the same channels before :meth:`refit`."""

    def tap_features(self, inputs: Tensor | None = None) -> dict[str, Tensor]:
        """Run the prunable part and return the features that the other layers read, by name."""

    def refit(self, kept: Mapping[str, Tensor]) -> TensorCuts:
        """Fit the other layers to the channels that are left, ``kept`` by feature. Return what changed."""

    def regroup(self, wrapper: OptimWrapper) -> None:
        """Make the optimizer hold the parameters that the model has after :meth:`refit`."""


class HasTrainingState(Protocol):
    """A model with tensors that training needs and its ``state_dict`` does not hold."""

    def training_state_dict(self) -> dict[str, Tensor]:
        """Return these tensors, by name."""

    def load_training_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Load such tensors."""


class FollowsProgress(Protocol):
    """A model with schedules."""

    def set_progress(self, iter: int, epoch: int, iters_per_epoch: int, max_iters: int) -> None:
        """Move the schedules."""


class FollowsSteps(Protocol):
    """A model that is called after every step."""

    def after_step(self) -> None:
        """Update after an iteration."""


class CompilesItsParts(Protocol):
    """A model that ``torch.compile`` works on part by part; the rest of a step is Python."""

    def compile_parts(self, options: Mapping[str, Any]) -> list[str]:
        """Compile the parts that are worth it, with these arguments of ``torch.compile``; return their names."""


class KnowsItsOptimizer(Protocol):
    """A model that builds its own optimizer."""

    def check_optimizer(self, wrapper: OptimWrapper) -> None:
        """Check that the optimizer holds every trainable parameter once."""

    def complete_schedules(self, wrapper: OptimWrapper, schedulers: Iterable) -> None:
        """Make the schedulers of an older checkpoint move all groups of the optimizer."""


class Distills(FollowsProgress, HasTrainingState, KnowsItsOptimizer, Protocol):
    """A model that DistillHook can serve."""


Ability = TypeVar('Ability')


def ability_of(model: nn.Module, ability: type[Ability]) -> Ability | None:
    """Return a model as one that has an ability, or None where it lacks a part of it.

    Args:
        model: Model, as it is, in DDP's wrapper, or compiled by ``torch.compile``.
        ability: One of the protocols of this module.
    """
    model = unwrapped(model)
    model = getattr(model, '_orig_mod', model)
    return model if all(hasattr(model, name) for name in members(ability)) else None


def parts_of_teachers(model: nn.Module) -> dict[str, Any]:
    """Return all that teachers consist of, by name: single teachers, and the members of ensembles.

    Args:
        model: Model, as it is or in DDP's wrapper; one without teachers has none.
    """
    found = ability_of(model, HasTeachers)
    teachers = {} if found is None else found.teachers or {}
    return {name: part for each in teachers.values() for name, part in each.parts.items()}


def prunable_part(model: nn.Module) -> nn.Module:
    """Return the part of a model that is pruned or quantized: the student of a distillation, or the recognizer itself.

    Args:
        model: Model, as it is or in DDP's wrapper.
    """
    found = ability_of(model, Prunable)
    return unwrapped(model) if found is None else found.prunable


def members(ability: type) -> set[str]:
    """Return the names that a model must have for an ability.

    Args:
        ability: A protocol.
    """
    own = [each for each in ability.__mro__ if each not in (Protocol, object) and Protocol in each.__mro__]
    names = {name for each in own for name in (*vars(each), *vars(each).get('__annotations__', {}))}
    return {name for name in names if not name.startswith('_')}
