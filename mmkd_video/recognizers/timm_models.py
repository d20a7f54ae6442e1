"""timm's models by name, and their weights from local files; nothing is downloaded, nothing in a file is executed."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mmkd_video.compat import safe_load
from mmkd_video.core.mistakes import MissingFileError, WrongValueError, first_line
from mmkd_video.core.vision_packages import import_vision

NESTED = ('state_dict', 'model', 'state_dict_ema')  # where training scripts keep the weights


def create_timm_model(name: str, key: str, **options: Any) -> nn.Module:
    """Create a model of timm with random weights.

    Args:
        name: Its name, with or without the tag of its weights: ``'mobilenetv4_conv_small.e2400_r224_in1k'``.
        key: Name of the setting in errors.
        **options: Arguments of ``timm.create_model``.

    Raises:
        ImportError: timm is not installed.
        ValueError: There is no such model, or it takes no such option.
    """
    timm = import_vision('timm')
    check_timm_name(name, key)
    try:
        return timm.create_model(name, pretrained=False, **options)
    except (TypeError, AssertionError) as error:
        raise WrongValueError(f'{key}: {name} cannot be built so: {first_line(error)}') from error


def check_timm_name(name: str, key: str) -> None:
    """Check that timm has a model of a name; its addresses on hubs are no names here.

    Args:
        name: The name.
        key: Name of the setting in errors.

    Raises:
        ValueError: There is no such model.
    """
    timm = import_vision('timm')
    plain, _, tag = name.partition('.')
    if not timm.is_model(plain):
        nearest = difflib.get_close_matches(plain, timm.list_models(), n=3, cutoff=0.5)
        hint = ', '.join(nearest) or 'a name that timm.list_models() gives'
        raise WrongValueError(f'{key}: got {name!r}; expected the name of a model of timm, such as {hint}')
    if tag and not timm.models.is_model_pretrained(name):
        tags = [each.partition('.')[2] for each in timm.list_pretrained(plain)]
        raise WrongValueError(f'{key}: got the tag {tag!r}; expected one of {", ".join(tags) or "none"}, or no tag')


def read_timm_weights(path: str | Path, key: str) -> dict[str, Tensor]:
    """Read the weights of a model from a local file.

    Args:
        path: Path of a ``.safetensors`` file, or of one that ``torch.save`` wrote.
        key: Name of the setting in errors.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, holds something else, or asks for code.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f'{key}: {str(path)!r} does not exist; expected a local file; nothing is downloaded')
    if path.suffix == '.safetensors':
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise WrongValueError(
                f'{key}: {path} is damaged or no safetensors file ({first_line(error)}); copy it again'
            ) from None
    found = safe_load.load(path)
    for name in NESTED:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
    weights = found if isinstance(found, Mapping) else {}
    if not weights or not all(isinstance(each, Tensor) for each in weights.values()):
        raise WrongValueError(f'{key}: {path} holds no weights; expected a state_dict, tensors by name')
    return dict(weights)


def timm_view(name: str, key: str) -> dict[str, Any]:
    """Return what a model of timm is to be shown: ``mean``, ``std``, ``input_size``, ``interpolation``, ``crop_pct``.

    Args:
        name: Its name, with or without the tag of its weights.
        key: Name of the setting in errors.

    Raises:
        ImportError: timm is not installed.
        ValueError: There is no such model.
    """
    check_timm_name(name, key)
    return import_vision('timm').models.get_pretrained_cfg(name).to_dict()
