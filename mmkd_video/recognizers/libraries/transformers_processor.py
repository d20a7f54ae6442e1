"""What a processor of transformers makes of frames, read from its JSON file: size, crop, numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.plain_data import Anything, wrong
from mmkd_video.recognizers.libraries.model_folder import ModelFolder

NESTED, VIDEO, IMAGE = 'processor_config.json', 'video_preprocessor_config.json', 'preprocessor_config.json'
_HALVES = dict(image_mean=[0.5] * 3, image_std=[0.5] * 3)
_IMAGENET = dict(image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])
_CLIP = dict(image_mean=[0.48145466, 0.4578275, 0.40821073], image_std=[0.26862954, 0.26130258, 0.27577711])
_PLAIN = dict(do_resize=True, do_rescale=True, rescale_factor=1 / 255, do_normalize=True, offset=False, resample=2)
_CROPPED = dict(_PLAIN, do_center_crop=True, size=dict(shortest_edge=224), crop_size=dict(height=224, width=224))
_SQUARE = dict(_PLAIN, do_center_crop=False, size=dict(height=224, width=224), crop_size=None)
# What the classes of transformers take where a file leaves a key out, by their names without Fast and Pil.
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    'VideoMAEVideoProcessor': {**_CROPPED, **_HALVES},
    'VideoMAEImageProcessor': {**_CROPPED, **_HALVES},
    'TimesformerVideoProcessor': {**_CROPPED, **_IMAGENET},
    'VivitVideoProcessor': {
        **_CROPPED, **_HALVES, 'size': dict(shortest_edge=256), 'rescale_factor': 1 / 127.5, 'offset': True,
    },
    'VivitImageProcessor': {
        **_CROPPED, **_HALVES, 'size': dict(shortest_edge=256), 'rescale_factor': 1 / 127.5, 'offset': True,
    },
    'VJEPA2VideoProcessor': {
        **_CROPPED, **_IMAGENET, 'size': dict(shortest_edge=292), 'crop_size': dict(height=256, width=256),
    },
    'LlavaOnevisionVideoProcessor': {**_SQUARE, **_CLIP, 'size': dict(height=384, width=384), 'resample': 3},
    'CLIPImageProcessor': {**_CROPPED, **_CLIP, 'resample': 3},
    'BitImageProcessor': {**_CROPPED, **_CLIP, 'resample': 3},
    'SiglipImageProcessor': {**_SQUARE, **_HALVES, 'resample': 3},
    'DINOv3ViTImageProcessor': {**_SQUARE, **_IMAGENET},
}  # fmt: skip
INTERPOLATIONS = {0: 'nearest', 1: 'lanczos', 2: 'bilinear', 3: 'bicubic', 4: 'area'}  # by PIL's number
LARGEST_SIDE = 1 << 13


@dataclass(frozen=True)
class Preprocessing:
    """What becomes of decoded frames, 8 bits a channel.

    Attributes:
        mean: Number that is subtracted from a channel, on the scale of 0 to 255.
        std: Number that is divided by after that.
        short_side: Side in pixels that the shorter one is resized to; None where the size is given whole, or stays.
        size: ``(height, width)`` that a frame is resized to; None where it keeps its shape.
        crop: ``(height, width)`` of the central crop after that; None where there is none.
        interpolation: Name of the interpolation, as mmcv spells it.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    short_side: int | None
    size: tuple[int, int] | None
    crop: tuple[int, int] | None
    interpolation: str


def read_preprocessing(folder: ModelFolder, default: str, video: bool) -> Preprocessing:
    """Read what a model's processor does.

    As in transformers, what ``processor_config.json`` holds comes first, then the file of a video processor, then that
    of an image processor.

    Args:
        folder: The model's folder.
        default: Name of the processor that is meant where the files name none.
        video: Whether the model takes videos; else its processor is one of images.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, or of a processor whose rules are not known.
    """
    where, told = _find(folder, video)
    named = _plain_name(told.get('video_processor_type' if video else 'image_processor_type')) or _plain_name(
        told.get('image_processor_type') or told.get('feature_extractor_type')
    )
    defaults = DEFAULTS.get(named or default)
    if defaults is None:
        raise WrongValueError(
            f'{where}: got a processor of type {named[:60]!r}; expected one of {", ".join(DEFAULTS)}; say in '
            'the file which of these it is like'
        )
    known = {**defaults, **{key: value for key, value in told.items() if key in defaults and value is not None}}
    if named == 'VivitVideoProcessor':
        known['offset'] = True  # whatever the file says
    if named == 'VJEPA2VideoProcessor':  # so does its constructor
        crop = _pair(known['crop_size'], f'{where}: crop_size')
        known['size'] = dict(shortest_edge=int(crop[0] * 256 / 224))
    return _interpret(known, where)


def _find(folder: ModelFolder, video: bool) -> tuple[str, dict]:
    if folder.has(NESTED):
        whole = folder.json(NESTED, Anything())
        for key in ('video_processor', 'image_processor') if video else ('image_processor',):
            if isinstance(whole, dict) and isinstance(whole.get(key), dict):
                refuse_remote_code(whole[key], _where(folder, NESTED, key))
                return _where(folder, NESTED, key), whole[key]
    names = (VIDEO, IMAGE) if video else (IMAGE,)
    name = next((each for each in names if folder.has(each)), IMAGE)
    told = folder.json(name, Anything())
    if not isinstance(told, dict):
        raise wrong(_where(folder, name), told, 'a dict')
    refuse_remote_code(told, _where(folder, name))
    return _where(folder, name), told


def _where(folder: ModelFolder, name: str, key: str = '') -> str:
    return f'{folder.key}: {folder.path / name}{key and f".{key}"}'


def refuse_remote_code(told: Mapping, where: str) -> None:
    """Refuse a file that names code of its folder.

    Args:
        told: Content of the file.
        where: Beginning of the error.

    Raises:
        ValueError: It has the key ``auto_map``.
    """
    if told.get('auto_map'):
        raise WrongValueError(
            f"{where}: got 'auto_map', which names code in the folder that would have to be run; expected a model that "
            'transformers itself has'
        )


def _plain_name(kind: Any) -> str | None:
    """Return the name of a class of processors without what says how it computes."""
    if not isinstance(kind, str):
        return None
    return kind.removesuffix('Pil').removesuffix('Fast').replace('FeatureExtractor', 'ImageProcessor')


def _interpret(known: Mapping[str, Any], where: str) -> Preprocessing:
    for key in ('do_resize', 'do_center_crop', 'do_rescale', 'do_normalize', 'offset'):
        if not isinstance(known[key], bool):
            raise wrong(f'{where}: {key}', known[key], 'true or false')
    mean, std = (_numbers(known[key], f'{where}: {key}') for key in ('image_mean', 'image_std'))
    if not known['do_normalize']:
        mean, std = [0.0] * 3, [1.0] * 3
    if min(std) <= 0:
        raise wrong(f'{where}: image_std', min(std), 'numbers above 0')
    factor, shift = 1.0, 0.0
    if known['do_rescale']:
        factor = known['rescale_factor']
        if type(factor) not in (int, float) or not 1e-6 <= factor <= 1e6:
            raise wrong(f'{where}: rescale_factor', factor, 'a number above 0')
        shift = 1.0 if known['offset'] else 0.0
    short, size = _size(known, where)
    crop = _pair(known['crop_size'], f'{where}: crop_size') if known['do_center_crop'] else None
    resample = known['resample']
    if type(resample) is not int or resample not in INTERPOLATIONS:
        raise wrong(f'{where}: resample', resample, f'one of {", ".join(map(str, INTERPOLATIONS))}')
    return Preprocessing(  # (x * factor - shift - mean) / std, written as (x - m) / s
        mean=tuple((each + shift) / factor for each in mean),
        std=tuple(each / factor for each in std),
        short_side=short,
        size=size,
        crop=crop,
        interpolation=INTERPOLATIONS[resample],
    )


def _numbers(value: Any, where: str) -> list[float]:
    each = [value] * 3 if type(value) in (int, float) else value
    fine = isinstance(each, list) and len(each) == 3 and all(type(one) in (int, float) for one in each)
    if not fine or not all(abs(one) < 1e6 for one in each):
        raise wrong(where, value, 'three numbers')
    return [float(one) for one in each]


def _size(known: Mapping[str, Any], where: str) -> tuple[int | None, tuple[int, int] | None]:
    """Return the shorter side, or height and width, that frames are resized to."""
    size = known['size']
    if not known['do_resize']:
        return None, None
    if isinstance(size, dict) and 'shortest_edge' in size:
        return _side(size['shortest_edge'], f'{where}: size'), None
    if type(size) is int and known['do_center_crop']:  # of before 2023
        return _side(size, f'{where}: size'), None
    return None, _pair(size, f'{where}: size')


def _pair(value: Any, where: str) -> tuple[int, int]:
    if type(value) is int:
        return _side(value, where), _side(value, where)
    if not isinstance(value, dict) or not {'height', 'width'} <= set(value):
        raise wrong(where, value, 'height and width')
    return _side(value['height'], where), _side(value['width'], where)


def _side(value: Any, where: str) -> int:
    if type(value) is not int or not 1 <= value <= LARGEST_SIDE:
        raise wrong(where, value, f'a side of 1 to {LARGEST_SIDE} pixels')
    return value
