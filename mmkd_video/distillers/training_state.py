"""The modules that training needs and the student does not."""

from collections.abc import Iterable, Mapping

from torch import nn

STUDENT = 'student.'
STATE = 'training_state.'


class TrainingState(nn.Module):
    """Connectors, learned losses and teachers that learn: in the optimizer and DDP, never in the student's
    ``state_dict``.

    Args:
        terms: The terms of the objective.
        teachers: Modules that teachers train or keep, by the teacher's name.
    """

    def __init__(self, terms: Iterable[nn.Module], teachers: Mapping[str, nn.Module] | None = None) -> None:
        super().__init__()
        self.terms = nn.ModuleDict({term.name: term for term in terms})
        self.teachers = nn.ModuleDict(teachers or {})


def install_key_mapping(model: nn.Module) -> None:
    """Give a model with children ``student`` and ``training_state`` the keys of the plain student.

    MMEngine walks modules itself and never calls an overridden ``load_state_dict``; these hooks are on the path of
    both loaders.

    Args:
        model: The distiller.
    """
    model._register_state_dict_hook(_keep_student)
    model._register_load_state_dict_pre_hook(_expect_student, with_module=True)
    model.register_load_state_dict_post_hook(_forgive_training_state)


def _keep_student(_model: nn.Module, state: dict, prefix: str, _metadata: dict) -> None:
    own = [key for key in state if key.startswith((prefix + STUDENT, prefix + STATE))]
    for key in own:
        value = state.pop(key)
        if key.startswith(prefix + STUDENT):
            state[prefix + key[len(prefix) + len(STUDENT) :]] = value
    versions = getattr(state, '_metadata', None)
    if versions is not None:
        for key in [key for key in versions if (key + '.').startswith((prefix + STUDENT, prefix + STATE))]:
            value = versions.pop(key)
            if (key + '.').startswith(prefix + STUDENT):
                versions[prefix + key[len(prefix) + len(STUDENT) :]] = value


def _expect_student(_model: nn.Module, state: dict, prefix: str, *_unused: object) -> None:
    for key in [key for key in state if key.startswith(prefix)]:
        state[prefix + STUDENT + key[len(prefix) :]] = state.pop(key)


def _forgive_training_state(_model: nn.Module, incompatible: tuple) -> None:
    for keys in incompatible:
        kept = [key for key in keys if STATE not in key]
        keys[:] = [key.replace(STUDENT, '', 1) for key in kept]
