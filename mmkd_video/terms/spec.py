"""The settings of a term in a config, checked before anything is built."""

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from mmkd_video import losses as loss_package
from mmkd_video.core.checked import (
    AnyOf,
    Anything,
    Class,
    Flag,
    ListOf,
    Nothing,
    Number,
    OneOf,
    Optional,
    Scheduled,
    Settings,
    Text,
    Whole,
    did_you_mean,
    keys_of,
    table_of,
)
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.schedules import is_schedule
from mmkd_video.taps import parse_pair
from mmkd_video.terms.target_norm import TARGET_NORM

TERM = table_of(
    'term',
    dict(
        type=AnyOf(Text("the name of a loss, such as 'KDLoss'"), Class()),
        at=Anything('parse_taps knows whether the loss takes several layers'),
        weight=Scheduled(Number(0)),
        connector=AnyOf(
            Nothing('inferred'), OneOf(False), Settings("dict(type='ProjectionConnector', ...)", needs=('type',))
        ),
        target_norm=TARGET_NORM,
        name=Optional(Text("text, such as 'kd'"), 'the lower-case type without Loss'),
        teacher=Optional(Text('the name of a teacher'), 'the only one'),
        begin=Whole(0),
        end=Optional(Whole(1), 'to the end'),
        standardize=Flag(),
    ),
    required=('type', 'at'),
    more=True,  # all others are the loss's
)
TERMS = ListOf(
    Anything('TermSpec.parse names it by its place'),
    least=1,
    example="a list such as [dict(type='KDLoss', at='logits')]",
)
FORM = Settings("dict(type='KDLoss', at='logits', weight=1.0, ...)")
TERM_KEYS = tuple(TERM.kinds)


@dataclass
class TermSpec:
    """One entry of ``terms``.

    Attributes:
        name: Name in the logs.
        loss_class: The loss.
        pairs: ``(student tap, teacher tap)`` of each layer.
        weight: Number, schedule or weighting that multiplies the loss; None where the config leaves it out.
        connector: Config of the connector; None to infer it, False for none.
        target_norm: Normalisation of the teacher's feature; None for none.
        teacher: Name of the teacher it reads; None for the only one.
        begin: First epoch in which the term acts.
        end: Epoch from which on it acts no longer; None for never.
        standardize: Whether class scores of both sides get zero mean and unit deviation before the loss.
        loss_config: Fixed arguments of the loss.
        scheduled: Scheduled arguments of the loss.
    """

    name: str
    loss_class: type
    pairs: list[tuple[str, str]]
    weight: float | dict | None = None
    connector: bool | dict | None = None
    target_norm: str | dict | None = None
    teacher: str | None = None
    begin: int = 0
    end: int | None = None
    standardize: bool = False
    loss_config: dict = field(default_factory=dict)
    scheduled: dict = field(default_factory=dict)

    @classmethod
    def parse(cls, config: Mapping, index: int) -> 'TermSpec':
        """Read ``terms[index]``.

        Raises:
            KeyError: Unknown loss, or unknown argument of the loss.
            ValueError: The entry is no dict, or a key is missing or malformed.
        """
        where = f'terms[{index}]'
        FORM.check(where, config)
        for key in ('type', 'at'):
            if key not in config:
                raise WrongValueError(f"{where}: {key!r} is missing; expected dict(type='KDLoss', at='logits', ...)")
        TERM.check(where, config)
        loss_class = find_loss(config['type'], where)
        name = config.get('name') or default_name(loss_class)
        check_name(name, where)
        arguments = {key: value for key, value in config.items() if key not in TERM_KEYS}
        check_arguments(loss_class, arguments, where)
        pairs = parse_taps(config['at'], bool(getattr(loss_class, 'multi_layer', False)), where)
        moving = {key for key, value in arguments.items() if is_schedule(value) and not _takes(loss_class, key, value)}
        begin, end = config.get('begin', 0), config.get('end')
        if end is not None and end <= begin:
            raise WrongValueError(f'{where}: got begin={begin} and end={end}; expected 0 <= begin < end, in epochs')
        connector = config.get('connector')
        return cls(
            name=name,
            loss_class=loss_class,
            pairs=pairs,
            weight=config.get('weight'),
            connector=connector,
            target_norm=config.get('target_norm'),
            teacher=config.get('teacher'),
            begin=begin,
            end=end,
            standardize=config.get('standardize', False),
            loss_config={key: value for key, value in arguments.items() if key not in moving},
            scheduled={key: value for key, value in arguments.items() if key in moving},
        )


def check_name(name: object, where: str) -> None:
    """Refuse a name that cannot be a key of logs or of a ModuleDict.

    Raises:
        ValueError: Says which names are free.
    """
    if 'loss' in name or '/' in name:
        raise WrongValueError(f"{where}.name: got {name!r}; a term's name holds neither 'loss' nor '/': logs add them")
    if '.' in name or hasattr(nn.ModuleDict(), name):
        raise WrongValueError(
            f"{where}.name: got {name!r}; a term is a module, whose name holds no '.' and is none of torch's own "
            "('train', 'items', ...); choose another"
        )


def default_name(loss_class: type) -> str:
    """Return the lower-case type without ``Loss``: ``KDLoss`` is ``kd``."""
    return loss_class.__name__.removesuffix('Loss').lower()


def find_loss(kind: str | type, where: str) -> type:
    """Return the class of a loss.

    Raises:
        KeyError: No such loss; the message names the nearest ones.
    """
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    if found is None:
        close = difflib.get_close_matches(str(kind), loss_package.__all__, n=3, cutoff=0.3)
        raise WrongKeyError(
            f'{where}.type: got the unknown loss {kind!r}; expected the name of a loss; nearest names: '
            f'{", ".join(close or loss_package.__all__)}'
        )
    return found


def check_arguments(loss_class: type, arguments: Mapping, where: str) -> None:
    """Refuse arguments that the loss does not know, or of a wrong kind; its constructor checks their range.

    Raises:
        KeyError: Names the unknown key, the nearest one and all that are valid.
        ValueError: An argument is of another type.
    """
    keys = keys_of(loss_class)
    parameters = inspect.signature(loss_class).parameters
    for key, value in arguments.items():
        if key in keys.kinds:
            kind = keys.kinds[key]
            kind = Scheduled(kind) if kind.accepts(1.0) else kind
            kind.check(f'{where}.{key}', value)
        elif not keys.more:
            valid = [*TERM_KEYS[1:], *parameters]
            raise WrongKeyError(
                f'{where}: got the unknown argument {key!r} of {loss_class.__name__}; expected one of the loss '
                f'{list(parameters)}, or of the term {list(TERM_KEYS[1:])}; {did_you_mean(key, valid) or "take it out"}'
            )


def _takes(loss_class: type, key: str, value: Mapping) -> bool:
    """Return whether an argument of a loss is a config itself, so that a dict given for it is no schedule."""
    kind = keys_of(loss_class).kinds.get(key)
    return kind is not None and not isinstance(kind, Anything) and kind.accepts(value)


def parse_taps(at: object, multi_layer: bool, where: str) -> list[tuple[str, str]]:
    """Read ``at``: a name, a pair, a dict, or a list of these for losses that take several layers.

    A tuple turns into a list when a config passes through JSON; for losses of a single layer, a list of two names is
    therefore refused with the portable spelling instead of being guessed at.

    Raises:
        ValueError: ``at`` has another form, or a list is given to a loss of a single layer.
    """
    if isinstance(at, list):
        if not multi_layer:
            raise WrongValueError(
                f'{where}.at: got the list {at!r}, but the loss takes a single layer; write '
                'at=(student, teacher) or at=dict(student=..., teacher=...) for a pair of taps'
            )
        return [parse_pair(f'{where}.at', item) for item in at]
    return [parse_pair(f'{where}.at', at)]
