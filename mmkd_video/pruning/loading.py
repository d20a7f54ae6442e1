"""A pruned checkpoint in a model of other widths: an error instead of MMEngine's warning."""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from torch import nn

from mmkd_video.compat.patching import after_import, wrap
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.pruning.history import PRUNING_KEY, history_of


def check_widths(model: nn.Module, checkpoint: Mapping) -> None:
    """Refuse weights of other widths where pruning is the reason.

    MMEngine loads what fits and warns about the rest, so a pruned checkpoint in its unpruned model would be tested with
    random layers.

    Args:
        model: Model that is about to take the weights.
        checkpoint: Whole checkpoint.

    Raises:
        ValueError: One of the two is pruned and their widths differ.
    """
    pruned = PRUNING_KEY in checkpoint
    if not pruned and not len(history_of(model)):
        return
    state = checkpoint.get('state_dict', checkpoint)
    own = model.state_dict()
    wrong = [key for key, value in own.items() if key in state and state[key].shape != value.shape]
    if not wrong:
        return
    key = wrong[0]
    sides = ('is pruned', 'is not, or otherwise') if pruned else ('is not pruned', 'is')
    raise WrongValueError(
        f'the checkpoint {sides[0]} and the model {sides[1]}: {len(wrong)} tensors differ, {key!r} has shape '
        f'{tuple(state[key].shape)} instead of {tuple(own[key].shape)}; build the model with '
        "model=dict(type='PrunedRecognizer', recognizer=<the plain model>, history=<the pruned checkpoint>)"
    )


def _checked(load: Callable) -> Callable:
    def load_to_model(model: nn.Module, checkpoint: Mapping, *args: Any, **kwargs: Any) -> Any:
        check_widths(model, checkpoint)
        return load(model, checkpoint, *args, **kwargs)

    return load_to_model


def _patch(module: ModuleType) -> None:
    wrap(module, '_load_checkpoint_to_model', _checked)


def watch_loading() -> None:
    """Check widths whenever MMEngine loads a checkpoint into a model."""
    for name in ('mmengine.runner.checkpoint', 'mmengine.runner.runner'):  # each has the function under its own name
        after_import(name, _patch)
