"""A model that compares images or videos with texts as a classifier: the names of the classes are its last layer."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmkd_video.core.checked import AnyOf, ListOf, Optional, Text, table_of
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.plain_data import wrong
from mmkd_video.recognizers.class_prompts import ACTIONS, check_names, check_templates
from mmkd_video.recognizers.libraries.model_folder import ModelFolder
from mmkd_video.recognizers.libraries.text_towers import TEXT_TOWERS, TextTower
from mmkd_video.recognizers.libraries.transformers_families import TransformersFamily
from mmkd_video.recognizers.name_file import BY_NAME, read_names

CONFIG = 'config.json'
ZERO_SHOT = table_of(
    'zero_shot',
    dict(
        classes=Optional(
            AnyOf(ListOf(Text('a name'), least=1), Text("a file of names, or 'by_name'")), "the student's classes"
        ),
        templates=Optional(ListOf(Text("a sentence, 'a video of {}.'"), least=1), 'as fits the model'),
    ),
)


def read_zero_shot(
    folder: ModelFolder,
    told: Mapping[str, Any],
    family: TransformersFamily,
    settings: Mapping[str, Any],
    asked: Mapping[str, Any],
) -> tuple[list[str] | None, dict]:
    """Read what a model needs to classify by names.

    Args:
        folder: The model's folder.
        told: Content of its ``config.json``.
        family: Facts about the model.
        settings: Settings of its vision tower.
        asked: ``classes``, a list of names or a file with a name on each line; ``templates``, sentences that each name
            is put in. What is left out has a default: the student's classes, which the tools of this package fill in,
            and what fits the model.

    Returns:
        Names of the classes, None where they are not known yet; and ``backbone`` and ``cls_head`` of the recognizer.

    Raises:
        KeyError: An unknown key.
        ValueError: The model has no text tower, or a setting of it is out of range.
    """
    key, where = f'{folder.key}.zero_shot', f'{folder.key}: {folder.path / CONFIG}'
    ZERO_SHOT.check(key, asked)
    tower = TEXT_TOWERS.get(family.name)
    architecture = told.get('architectures') or []
    if tower is None or (architecture and architecture[0] == family.encoder):
        raise WrongValueError(
            f'{key}: got a model of type {family.name!r} without a text tower; expected one of '
            f'{", ".join(TEXT_TOWERS)}, with both towers in its folder'
        )
    classes = _names(asked.get('classes'), key)
    templates = list(asked.get('templates') or tower.templates or ACTIONS)
    check_templates(templates, f'{key}.templates')
    text = _checked(told.get('text_config') or {}, tower.settings, f'{where}: text_config')
    whole = _checked(told, tower.whole, where)
    _expect_as_many_weights(folder, tower, text, where)
    backbone = dict(
        type=tower.backbone,
        family=family.name,
        settings=dict(settings),
        text=text,
        whole=whole,
        classes=classes or [],
        templates=templates,
    )
    head = dict(
        type='VideoTextHead' if tower.backbone == 'VideoPromptBackbone' else 'TransformersHead',
        num_classes=len(classes or ()),
        in_channels=tower.space_of(settings, whole),
    )
    return classes, dict(backbone=backbone, cls_head=head)


def _names(asked: str | Sequence[str] | None, key: str) -> list[str] | None:
    if asked is None or asked == BY_NAME:
        return None
    names = read_names(asked, f'{key}.classes') if isinstance(asked, str) else list(asked)
    check_names(names, f'{key}.classes')
    return names


def _checked(told: Any, rules: Mapping[str, Any], where: str) -> dict[str, Any]:
    if not isinstance(told, dict):
        raise wrong(where, told, 'a dict')
    found = {name: told[name] for name in rules if name in told}
    for name, value in found.items():
        rules[name].check(value, f'{where}: {name}')
    return found


def _expect_as_many_weights(folder: ModelFolder, tower: TextTower, text: Mapping[str, Any], where: str) -> None:
    """Refuse a text tower much larger than the weights that are there, before it takes the memory."""
    size = folder.size_of_weights()
    width = text.get('hidden_size', tower.width)
    inner, layers = text.get('intermediate_size', width), text.get('num_hidden_layers', 1)
    numbers = text.get('vocab_size', tower.vocabulary) * width + layers * width * (4 * width + 2 * inner)
    if size and numbers > size:
        raise WrongValueError(
            f'{where}: text_config: got a model of more than {numbers} numbers; expected one that fits the {size} '
            'bytes of its weights; copy both from the same place'
        )
