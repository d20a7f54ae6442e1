"""Models of Hugging Face transformers built from checked settings, and their weights from tensors that were checked."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError, name_of_kind
from mmkd_video.core.optional_packages import import_extra
from mmkd_video.recognizers.libraries.huggingface import EXTRA

_TOLD = (('missing_keys', 'missing'), ('mismatched_keys', 'of another shape'), ('error_msgs', 'wrong'))


def transformers_library() -> ModuleType:
    """Return transformers.

    Raises:
        ImportError: It is not installed.
    """
    return import_extra('transformers', EXTRA)


def load_part(
    kind: str, config: Any, tensors: Mapping[str, Tensor], prefix: str, path: str, **arguments: Any
) -> nn.Module:
    """Build a model with its weights, completely or not at all; all are taken as float32.

    Args:
        kind: Name of its class in transformers.
        config: Its config, an object of transformers.
        tensors: Weights of the folder by name.
        prefix: Beginning of the names of those that are the model's; the others are left out.
        path: The folder, for messages.
        **arguments: Further arguments of its constructor.

    Raises:
        ValueError: Some are missing or have another shape.
    """
    library = transformers_library()
    own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    with explaining(path, type(config).__name__), _quiet(library):
        model, told = getattr(library, kind).from_pretrained(
            None,
            config=config,
            state_dict=own,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are told, too, and refused below
            **arguments,
        )
    wrong = [f'{len(told[key])} {said} {sorted(map(str, told[key]))[:2]}' for key, said in _TOLD if told[key]]
    if wrong:
        raise WrongValueError(
            f'teacher.config: the weights in {path} are not of the model that its config.json tells: '
            f'{", ".join(wrong)}; copy both from the same place'
        )
    return model


def load_own(module: nn.Module, tensors: Mapping[str, Tensor], prefix: str, path: str) -> None:
    """Load the weights of a module that is no model of transformers by itself, completely or not at all.

    Args:
        module: The module.
        tensors: Weights of the folder by name.
        prefix: Beginning of the names of those that are the module's.
        path: The folder, for messages.

    Raises:
        ValueError: Some are missing or have another shape.
    """
    own = {key.removeprefix(prefix): value.float() for key, value in tensors.items() if key.startswith(prefix)}
    needed = module.state_dict()
    wrong = [prefix + key for key, value in needed.items() if key not in own or own[key].shape != value.shape]
    if wrong:
        raise WrongValueError(
            f'teacher.config: the weights in {path} are not of the model that its config.json tells: '
            f'{len(wrong)} missing or of another shape {wrong[:2]}; copy both from the same place'
        )
    module.load_state_dict({key: own[key] for key in needed})


@contextmanager
def explaining(what: str, config: str) -> Iterator[None]:
    """Turn whatever transformers says about a model into one line.

    Args:
        what: Folder, or another word for what was given.
        config: Name of the class of its config.
    """
    try:
        yield
    except (ImportError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # its checks of configs raise errors of its own
        said = ' '.join(str(error).split())[:200]
        raise WrongValueError(
            f'teacher.config: transformers does not take {what} as a {config} ({name_of_kind(error)}: {said}); copy '
            'the model again'
        ) from error


@contextmanager
def _quiet(library: ModuleType) -> Iterator[None]:
    """Keep transformers from writing bars and tables; what they say is in the errors."""
    logging = library.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
