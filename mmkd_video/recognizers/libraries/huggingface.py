"""Models of Hugging Face transformers, read from a local folder: ``hf::<folder>``. Nothing of the folder is run.

What a recognizer needs is in two JSON files: the model's ``config.json`` and its processor's. Neither is given to
transformers as it is; the known keys of known models are taken out of them, and checked.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.core.optional_packages import import_extra
from mmkd_video.core.plain_data import Anything, Table, Text, Whole, wrong
from mmkd_video.recognizers.libraries.model_folder import ModelFolder
from mmkd_video.recognizers.libraries.transformers_families import FAMILIES, TransformersFamily
from mmkd_video.recognizers.libraries.transformers_processor import (
    Preprocessing,
    read_preprocessing,
    refuse_remote_code,
)
from mmkd_video.recognizers.libraries.view_pipelines import view_pipelines
from mmkd_video.recognizers.libraries.zero_shot import read_zero_shot

CONFIG = 'config.json'
EXTRA = 'hf'
MOST_TOKENS = 1 << 18
DOWNLOADED = ('*.json', '*.safetensors')
_NAMES = Table(Text(1000), most=100_000, key_pattern='[0-9]{1,6}')


def read(
    name: str,
    key: str,
    frames: int | None = None,
    allow_download: bool = False,
    zero_shot: bool | Mapping = False,
) -> Config:
    """Read the whole config of a model of transformers.

    Args:
        name: Its folder; or its name on the hub, which is looked for in the hub's local cache.
        key: Name of the setting in errors.
        frames: Number of frames of its view; by default those that the model is made for, 8 of a model of images.
        allow_download: Whether a name that is not in the cache is downloaded: its JSON files and safetensors alone.
        zero_shot: True, or ``dict(classes=, templates=)``, for the names of classes as the classifier; see
            :func:`read_zero_shot`.

    Raises:
        FileNotFoundError: There is no such folder, and the cache does not have it.
        ValueError: A file in it is damaged, unsafe, or of a model that is not known.
    """
    folder = ModelFolder(_local(name, key, allow_download), key)
    where = f'{key}: {folder.path / CONFIG}'
    told = folder.json(CONFIG, Anything())
    if not isinstance(told, dict):
        raise wrong(where, told, 'a dict')
    refuse_remote_code(told, where)
    if told.get('quantization_config'):
        raise WrongValueError(f'{where}: got quantized weights; expected a model in float32, bfloat16 or float16')
    family = _family(told, where)
    classes = _classes(told, family, where)
    settings = _settings(told, family, where)
    grid_of(family, settings, frames, where)
    _expect_as_many_weights(folder, settings, where)
    seen = read_preprocessing(folder, family.processor, family.frames is not None)
    model = _model(family, settings, classes, seen)
    if zero_shot is not False:
        asked = {} if zero_shot is True else zero_shot
        classes, changed = read_zero_shot(folder, told, family, settings, asked)
        model |= changed
    return Config(
        dict(
            default_scope='mmaction',
            model=model,
            **({} if classes is None else {'classes': classes}),
            **_pipelines(seen, frames or frames_of(family, settings), side_of(family, settings)),
            library_weights=str(folder.path),
        )
    )


def frames_of(family: TransformersFamily, settings: Mapping[str, Any]) -> int:
    """Return the number of frames that a model is made for; of a model of images, how many of a clip it sees."""
    return settings.get(family.frames, family.default_frames) if family.frames else family.default_frames


def side_of(family: TransformersFamily, settings: Mapping[str, Any]) -> int | None:
    """Return the side in pixels that a model is made for; None where its config does not say so."""
    side = settings.get(family.pixels)
    return side[0] if isinstance(side, list | tuple) else side


def grid_of(
    family: TransformersFamily, settings: Mapping[str, Any], frames: int | None, where: str
) -> tuple[int, int, int]:
    """Return how many patches a model has in time, height and width.

    Raises:
        ValueError: More than can be meant.
    """
    depth, height, width = family.patch(settings)
    side = side_of(family, settings) or 224
    count = frames or frames_of(family, settings)
    grid = max(count // depth, 1), side // height, side // width
    if not 1 <= grid[0] * grid[1] * grid[2] <= MOST_TOKENS:
        raise WrongValueError(
            f'{where}: got {count} frames of {side} pixels in patches of {depth} x {height} x {width}; expected 1 to '
            f'{MOST_TOKENS} patches'
        )
    return grid


def _local(name: str, key: str, allow_download: bool) -> Path:
    """Return the folder that is meant: itself, or a snapshot in the hub's cache."""
    if Path(name).is_dir() or name.count('/') != 1 or name.startswith(('.', '/', '~')):
        return Path(name)
    hub = import_extra('huggingface_hub', EXTRA)
    try:
        return Path(hub.snapshot_download(name, allow_patterns=list(DOWNLOADED), local_files_only=not allow_download))
    except (OSError, ValueError) as error:  # the hub's own errors are of these kinds
        said = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        if allow_download:
            raise MissingFileError(f'{key}: got {name!r}, which cannot be downloaded ({said})') from None
        raise MissingFileError(
            f'{key}: got {name!r}; expected a folder, or a name that the local cache of the hub has; to download it, '
            f"write config=dict(source='hf::{name}', allow_download=True)"
        ) from None


def _family(told: Mapping[str, Any], where: str) -> TransformersFamily:
    kind = told.get('model_type')
    if not isinstance(kind, str) or kind not in FAMILIES:
        shown = kind[:60] if isinstance(kind, str) else type(kind).__name__
        raise WrongValueError(f'{where}: got a model of type {shown!r}; expected one of {", ".join(FAMILIES)}')
    return FAMILIES[kind]


def _classes(told: Mapping[str, Any], family: TransformersFamily, where: str) -> list[str] | None:
    """Return the names of a model's classes; None of a model without a classifier."""
    named = told.get('architectures') or [family.encoder]
    kind = named[0] if isinstance(named, list) else named
    if kind == family.encoder or kind in family.heads:
        return None
    if family.classifier is None or kind != family.classifier:
        known = ', '.join(filter(None, (family.classifier, family.encoder, *family.heads)))
        shown = kind[:60] if isinstance(kind, str) else type(kind).__name__
        raise WrongValueError(f'{where}: got the architecture {shown!r}; expected one of {known}')
    if 'id2label' in told:
        _NAMES.check(told['id2label'], f'{where}: id2label')
        names = {int(index): name for index, name in told['id2label'].items()}
        if not names or sorted(names) != list(range(len(names))):
            raise WrongValueError(f'{where}: id2label: got {len(names)} names; expected one for each of 0, 1, 2, ...')
        return [names[index] for index in range(len(names))]
    count = told.get('num_labels', 2)  # the default of transformers
    Whole(1, 100_000).check(count, f'{where}: num_labels')
    return [f'LABEL_{index}' for index in range(count)]


def _settings(told: Mapping[str, Any], family: TransformersFamily, where: str) -> dict[str, Any]:
    """Return the settings of the encoder that count, checked."""
    if family.inner is not None:
        where, told = f'{where}: {family.inner}_config', told.get(f'{family.inner}_config') or {}
        if not isinstance(told, dict):
            raise wrong(where, told, 'a dict')
    found = {key: told[key] for key in family.settings if key in told}
    if 'hidden_size' not in found:
        raise WrongValueError(f'{where}: the key hidden_size is missing; expected the config of a {family.config}')
    for key, value in found.items():
        family.settings[key].check(value, f'{where}: {key}')
    return found


def _expect_as_many_weights(folder: ModelFolder, settings: Mapping[str, Any], where: str) -> None:
    """Refuse settings of a model much larger than the weights that are there, before it takes the memory.

    Raises:
        ValueError: The matrices of its layers alone have more numbers than the files have bytes.
    """
    size = folder.size_of_weights()
    width = settings['hidden_size']
    inner = settings.get('intermediate_size') or int(settings.get('mlp_ratio', 1) * width)
    layers = sum(settings.get(key, 0) for key in ('num_hidden_layers', 'num_spatial_layers', 'num_temporal_layers'))
    numbers = layers * width * (4 * width + 2 * inner)
    if size and numbers > size:
        raise WrongValueError(
            f'{where}: got a model of more than {numbers} numbers; expected one that fits the {size} bytes of its '
            'weights; copy both from the same place'
        )


def _model(family: TransformersFamily, settings: dict, classes: list[str] | None, seen: Preprocessing) -> dict:
    width = family.width if classes else 1
    return dict(
        type='Recognizer3D',
        backbone=dict(type='TransformersBackbone', family=family.name, settings=settings, classifies=bool(classes)),
        cls_head=dict(
            type='TransformersHead',
            num_classes=len(classes) if classes else 0,
            in_channels=width * settings['hidden_size'],
        ),
        data_preprocessor=dict(
            type='ActionDataPreprocessor', mean=list(seen.mean), std=list(seen.std), format_shape='NCTHW'
        ),
    )


def _pipelines(seen: Preprocessing, frames: int, side: int | None) -> dict[str, list[dict]]:
    """Return the pipelines that show a model what its processor would."""
    interpolation = seen.interpolation
    steps: list[dict] = []
    if seen.short_side is not None:
        steps.append(dict(type='Resize', scale=(-1, seen.short_side), interpolation=interpolation))
    elif seen.size is not None:
        scale = (seen.size[1], seen.size[0])
        steps.append(dict(type='Resize', scale=scale, keep_ratio=False, interpolation=interpolation))
    if seen.crop is not None:
        steps.append(dict(type='CenterCrop', crop_size=(seen.crop[1], seen.crop[0])))
    elif seen.size is None and side is not None:
        steps.append(dict(type='Resize', scale=(side, side), keep_ratio=False, interpolation=interpolation))
    return view_pipelines(steps, frames)
