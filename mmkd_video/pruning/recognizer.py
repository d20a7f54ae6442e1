"""A pruned recognizer from a config."""

import copy
from collections.abc import Mapping

from torch import nn

from mmkd_video.core.checked import AnyOf, Instance, Settings, Text, checked
from mmkd_video.core.registry import MODELS, build_model
from mmkd_video.pruning.history import PruningHistory
from mmkd_video.pruning.surgery import replay


@MODELS.register_module(name='PrunedRecognizer')
@checked(
    recognizer=Settings('the config of the unpruned recognizer', needs=('type',)),
    history=AnyOf(Text('the path of a pruned checkpoint or of a JSON file'), Settings(), Instance(PruningHistory)),
)
def build_pruned_recognizer(
    recognizer: Mapping, history: str | Mapping | PruningHistory, data_preprocessor: Mapping | None = None
) -> nn.Module:
    """Build a plain recognizer whose layers are as narrow as a pruned one's.

    What is returned is the recognizer itself, not a wrapper: same class, modules and keys. torch-pruning is not needed.
    Weights are loaded afterwards, as those of any other model (``load_from``, ``tools/test.py``).

    Args:
        recognizer: Config of the unpruned recognizer. Pretrained weights of its backbone do not fit and are not loaded.
        history: Path of a pruned checkpoint or of a JSON file, the JSON text, or its dict.
        data_preprocessor: Data preprocessor that a config gives beside the model; it becomes the recognizer's if that
            has none.

    Raises:
        FileNotFoundError: The history's path does not exist.
        ValueError: The history belongs to another recognizer, or there is none in the file.
    """
    found = PruningHistory.load(history)
    config = unpruned_config(recognizer)
    if data_preprocessor is not None:
        config.setdefault('data_preprocessor', data_preprocessor)
    without_pretrained(config)
    model = build_model(config)
    replay(model, found)
    return model


def unpruned_config(model: Mapping) -> dict:
    """Return a copy of the recognizer's config inside that of a pruned one, however often it was pruned.

    A history always starts from the recognizer that has lost nothing.

    Args:
        model: ``dict(type='PrunedRecognizer', recognizer=..., history=...)``, or a recognizer's own.
    """
    while 'recognizer' in model and 'history' in model:
        inner = dict(model['recognizer'])
        if model.get('data_preprocessor') is not None:
            inner.setdefault('data_preprocessor', model['data_preprocessor'])
        model = inner
    return copy.deepcopy(dict(model))


def without_pretrained(config: dict) -> None:
    """Take the pretrained weights, in place, out of a recognizer's config."""
    for part in [config, *(value for value in config.values() if isinstance(value, dict))]:
        if 'pretrained' in part:
            part['pretrained'] = None
        if 'pretrained2d' in part:
            part['pretrained2d'] = False
        if isinstance(part.get('init_cfg'), dict) and part['init_cfg'].get('type') == 'Pretrained':
            part['init_cfg'] = None
