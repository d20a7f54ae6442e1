"""The config of a recognizer that another library knows: its model, its pipelines, its classes, its weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from mmkd_video.core.checked import AnyOf, Flag, Keys, ListOf, Number, OneOf, Optional, Settings, Text, Whole, table_of
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.libraries import huggingface, own_module, timm_images, torchvision_videos

SOURCE = Text("'hf::<folder or name>', 'module::<module>:<function>', 'timm::<name>' or 'torchvision::<name>'")
WEIGHTS = 'library_weights'


@dataclass(frozen=True)
class Library:
    """A library whose models can be recognizers.

    Args:
        read: Function that returns the whole config of a model, from its name, ``key`` for errors, and options. In the
            config are ``model``, which builds the recognizer without its weights; pipelines, which say what it sees;
            ``classes``, where their names are known; and ``library_weights``, where weights lie, which the
            ``load_pretrained`` of its backbone understands.
        options: The options.
        own_checkpoints: Whether a teacher's ``checkpoint`` is a file of the library, which the ``load_pretrained`` of
            the backbone reads, and has to be given.
    """

    read: Callable[..., Config]
    options: Keys
    own_checkpoints: bool = False


LIBRARIES = {
    'hf': Library(
        huggingface.read,
        table_of(
            'hf',
            dict(
                frames=Optional(Whole(1), 'as the model says'),
                allow_download=Flag(),
                zero_shot=AnyOf(Flag(), Settings('a dict of classes and templates')),
            ),
        ),
    ),
    'module': Library(
        own_module.read,
        table_of(
            'module',
            dict(
                arguments=Optional(Settings('a dict of arguments of the function'), 'none'),
                num_classes=Optional(Whole(1), 'it has features only'),
                output=Optional(Text("a name, 'logits'"), 'the result itself'),
                layout=OneOf(*own_module.LAYOUTS),
                frames=Whole(1),
                frame_interval=Optional(Whole(1), "spread over the student's span"),
                size=Whole(1),
                mean=ListOf(Number(), length=3, example='(123.675, 116.28, 103.53)'),
                std=ListOf(Number(0, above=True), length=3, example='(58.395, 57.12, 57.375)'),
                weights=Optional(Text('a path or URL'), 'the function loads them'),
                classes=Optional(ListOf(Text('a name'), least=1), 'not known'),
            ),
            required=('frames', 'size', 'mean', 'std'),
        ),
    ),
    'timm': Library(
        timm_images.read,
        table_of('timm', dict(frames=Whole(1), num_classes=Optional(Whole(1), 'those of its weights'))),
        own_checkpoints=True,
    ),
    'torchvision': Library(
        torchvision_videos.read,
        table_of(
            'torchvision',
            dict(
                frames=Optional(Whole(1), 'as its accuracy was measured'),
                num_classes=Optional(Whole(1), 'those of its weights'),
                preset=Optional(Text("a name, 'KINETICS400_V1'"), "torchvision's choice"),
            ),
        ),
        own_checkpoints=True,
    ),
}


def is_library_model(config: Any) -> bool:
    """Tell whether a teacher's ``config`` names a model of another library.

    Args:
        config: ``'hf::...'``, ``dict(source='hf::...', ...)``, or anything else.
    """
    if isinstance(config, str):
        return config.partition('::')[0] in LIBRARIES and '::' in config
    return isinstance(config, Mapping) and 'source' in config and 'type' not in config


def has_own_checkpoints(config: Any) -> bool:
    """Tell whether the checkpoint of a teacher is a file of the library that its ``config`` names.

    Args:
        config: ``'timm::...'``, ``dict(source='timm::...', ...)``, or anything else.
    """
    if not is_library_model(config):
        return False
    source = config if isinstance(config, str) else config['source']
    library = LIBRARIES.get(str(source).partition('::')[0])
    return library is not None and library.own_checkpoints


def local_weights(config: Any) -> list[str]:
    """Return the files of weights in the local folder that a teacher's ``config`` names; none for any other config.

    Args:
        config: ``'hf::<folder>'``, ``dict(source='hf::<folder>', ...)``, or anything else.
    """
    if not is_library_model(config):
        return []
    source = config if isinstance(config, str) else config['source']
    folder = Path(str(source).partition('::')[2])
    return sorted(str(each) for each in folder.glob('*.safetensors')) if folder.is_dir() else []


def read_library_model(config: str | Mapping, key: str = 'teacher.config') -> Config:
    """Read the whole config of a model of another library.

    Args:
        config: ``'hf::<folder or name>'``, or ``dict(source='hf::...')`` with options of the library.
        key: Name of the setting in errors.

    Raises:
        KeyError: An unknown option.
        FileNotFoundError: There is no such folder.
        ValueError: What lies there is damaged, of an unknown kind, or not safe.
    """
    options = {'source': config} if isinstance(config, str) else dict(config)
    source = options.pop('source')
    SOURCE.check(f'{key}.source', source)
    prefix, found, name = source.partition('::')
    if not found or prefix not in LIBRARIES or not name:
        raise WrongValueError(f'{key}.source: got {source!r}; expected {SOURCE.expected}')
    LIBRARIES[prefix].options.check(key, options)
    return LIBRARIES[prefix].read(name, key=key, **options)


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
