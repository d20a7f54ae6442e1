"""The block ``compress`` of a config: the settings of each stage."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from mmkd_video.core.checked import (
    AnyOf,
    Flag,
    Keys,
    Kind,
    ListOf,
    Number,
    OneOf,
    Optional,
    Settings,
    Text,
    Whole,
    table_of,
)
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.export.metadata import PRECISIONS
from mmkd_video.quantization.nncf_library import PRESETS
from mmkd_video.recognizers.libraries import is_library_model
from mmkd_video.recognizers.plain_student import is_distillation
from mmkd_video.workflows.measure.deploy_runtimes import all_runtimes


def _options(name: str, **kinds: Kind) -> Keys:
    return table_of(f'compress.{name}', {key: Optional(kind) for key, kind in kinds.items()})


def _several(kind: Kind) -> Kind:
    return AnyOf(kind, ListOf(kind))


class RuntimeName(Kind):
    """The name of a runtime; also of one that the config imports, which is known only when it is checked."""

    @property
    def expected(self) -> str:
        """See :attr:`Kind.expected`."""
        return OneOf(*all_runtimes()).expected

    def accepts(self, value: Any) -> bool:
        """See :meth:`Kind.accepts`."""
        return OneOf(*all_runtimes()).accepts(value)

    def hint(self, value: Any) -> str:
        """See :meth:`Kind.hint`."""
        return OneOf(*all_runtimes()).hint(value)


OPTIONS = Settings('a dict of settings')
COMPRESS = table_of(
    'compress',
    dict(
        seed=Whole(0),
        alone=Flag(),
        prune=Optional(OPTIONS),
        export=Optional(OPTIONS),
        quantize=Optional(OPTIONS),
        benchmark=Optional(OPTIONS),
    ),
)
PRUNE = table_of('compress.prune', dict(hook=Optional(OPTIONS), config=Optional(OPTIONS)))
EXPORT = _options(
    'export',
    precision=OneOf(*PRECISIONS),
    dynamic_clips=Flag(),
    batch=AnyOf(Whole(1), OneOf('dynamic')),
    clips=Whole(0),
    no_check=Flag(),
    shape=ListOf(Whole(1)),
)
QUANTIZE = _options(
    'quantize',
    calibration=Whole(1),
    validation=Whole(1),
    max_drop=Number(0, 1),
    preset=OneOf(*PRESETS),
    clips=Whole(0),
    no_check=Flag(),
)
BENCHMARK = _options(
    'benchmark',
    runtimes=_several(RuntimeName()),
    threads=_several(Whole(1)),
    rounds=Whole(1),
    max_rounds=Whole(1),
    warmup=Whole(0),
    batch_size=Whole(1),
    clips=Whole(0),
    no_memory=Flag(),
    int8=_several(Text('the name of a model')),
    calibration=Whole(1),
    max_drop=Number(0, 1),
    reference=Text('the name of a model'),
    target_speedup=Number(0, above=True),
    target_drop=Number(),
)
BLOCKS = {'prune': PRUNE, 'export': EXPORT, 'quantize': QUANTIZE, 'benchmark': BENCHMARK}
NOT_FOR_USERS = ('format', 'model', 'file', 'out', 'picture', 'force')  # options that no block may hold


def read_settings(config: Config) -> dict:
    """Take the block ``compress`` out of a config.

    Args:
        config: The distillation's config; changed: without the block it is the distillation itself.

    Raises:
        KeyError: There is no such block, or it holds an unknown key.
        ValueError: The config is no distillation of one teacher.
    """
    settings = config.get('compress')
    if settings is None:
        raise WrongKeyError(f"{config.filename} has no block 'compress'; see configs/compress/i3d_to_mobilenet.py")
    OPTIONS.check('compress', settings)
    COMPRESS.check('compress', settings)
    if is_library_model((config.model.get('teacher') or {}).get('config')):
        raise WrongValueError(
            f'{config.filename}: compress: got a teacher of another library, which is not exported beside the student; '
            'expected one of MMAction2: train, prune, quantize and export with the tools one by one'
        )
    if not is_distillation(config) or 'config' not in (config.model.get('teacher') or {}):
        raise WrongValueError(
            f"{config.filename}: compress needs model.type 'Distiller' with one teacher of its own config"
        )
    config.pop('compress')
    return settings.to_dict() if hasattr(settings, 'to_dict') else dict(settings)


def expect_blocks(settings: Mapping) -> None:
    """Check that blocks hold settings of their stages, and none that the stages set themselves.

    Args:
        settings: The block ``compress``.

    Raises:
        KeyError: A block holds an unknown option.
        ValueError: A block holds an option that is not for the user to set or cannot be meant, no clips to draw
            accuracies of, or a precision in which not all files can be written.
    """
    for name, options in BLOCKS.items():
        block = settings.get(name) or {}
        taken = sorted(set(block) & set(NOT_FOR_USERS))
        if taken and name != 'prune':
            raise WrongValueError(
                f'compress.{name}: got {", ".join(taken)}, which compress.py chooses itself; leave it out'
            )
        options.check(f'compress.{name}', block)
    if (settings.get('benchmark') or {}).get('clips') == 0:
        raise WrongValueError('compress.benchmark.clips: got 0; expected at least 1, the picture shows accuracies')
    precision = (settings.get('export') or {}).get('precision') or 'f32'
    if precision != 'f32':
        raise WrongValueError(
            f"compress.export.precision: got {precision!r}; expected 'f32', the only one that every file has; the "
            'int8 file is that of compress.quantize'
        )
