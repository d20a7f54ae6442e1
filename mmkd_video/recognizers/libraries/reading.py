"""The config of a recognizer that another library knows: its model, its pipelines, its classes, its weights."""

from collections.abc import Callable, Mapping
from typing import Any

from mmengine.config import Config
from torch import nn

from mmkd_video.core.checked import Flag, Optional, Text, Whole, table_of
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.libraries import huggingface

# What reads a model by its name, by the prefix of the name. It returns a whole config: ``model``, a dict that builds
# the recognizer without its weights; pipelines, which say what it sees; ``classes``, where their names are known; and
# ``library_weights``, which the ``load_pretrained`` of its backbone understands.
READERS: dict[str, Callable[..., Config]] = {'hf': huggingface.read}
OPTIONS = table_of(
    'teacher.config',
    dict(
        source=Text("'hf::<folder or name>'"),
        frames=Optional(Whole(1), 'as the model says'),
        allow_download=Flag(),
    ),
)
WEIGHTS = 'library_weights'


def is_library_model(config: Any) -> bool:
    """Tell whether a teacher's ``config`` names a model of another library.

    Args:
        config: ``'hf::...'``, ``dict(source='hf::...', ...)``, or anything else.
    """
    if isinstance(config, str):
        return config.partition('::')[0] in READERS and '::' in config
    return isinstance(config, Mapping) and 'source' in config and 'type' not in config


def read_library_model(config: str | Mapping, key: str = 'teacher.config') -> Config:
    """Read the whole config of a model of another library.

    Args:
        config: ``'hf::<folder or name>'``, or ``dict(source='hf::...')`` with ``frames`` or ``allow_download``.
        key: Name of the setting in errors.

    Raises:
        KeyError: An unknown option.
        FileNotFoundError: There is no such folder.
        ValueError: What lies there is damaged, of an unknown kind, or not safe.
    """
    options = {'source': config} if isinstance(config, str) else dict(config)
    OPTIONS.check(key, options)
    prefix, found, name = options.pop('source').partition('::')
    if not found or prefix not in READERS or not name:
        known = ', '.join(f"'{each}::...'" for each in READERS)
        raise WrongValueError(f'{key}.source: got {prefix + found + name!r}; expected {known}')
    return READERS[prefix](name, key=key, **options)


def load_own_weights(model: nn.Module, config: Config | None) -> bool:
    """Load the weights that lie beside a library's config into the recognizer that was built from it.

    Args:
        model: The recognizer.
        config: Its whole config; None where only a model was given.

    Returns:
        Whether the config says where weights lie; if not, nothing was done.

    Raises:
        ValueError: The weights are damaged, incomplete or not safe.
    """
    weights = None if config is None else config.get(WEIGHTS)
    if weights is None:
        return False
    model.backbone.load_pretrained(weights, model.cls_head)
    return True
