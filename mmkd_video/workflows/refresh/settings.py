"""The block ``refresh`` of a config, and the old student that it names."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from mmengine.config import Config

from mmkd_video.core.checked import OneOf, Optional, Settings, Text, Whole, table_of
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.recognizers.config import resolve_config
from mmkd_video.recognizers.plain_student import is_distillation, named_teachers, plain_student
from mmkd_video.recognizers.stages import expect_one_stage
from mmkd_video.workflows.deploy.student import model_parts

LIVE = (None, 'FrozenTeacher')
HEADS = ('linear', 'balanced', 'nearest_mean')
SELECTIONS = ('herding', 'random')
REFRESH = table_of(
    'refresh',
    dict(
        memory=Whole(0),
        selection=OneOf(*SELECTIONS),
        head=OneOf(*HEADS),
        old=Optional(Text('the name of the teacher that is the old student'), 'the only one'),
    ),
)


@dataclass(frozen=True)
class RefreshSettings:
    """How a student is refreshed.

    Attributes:
        memory: Number of old training clips that are kept of each old class.
        selection: ``'herding'``: clips whose mean feature is that of their class; ``'random'``.
        head: ``'linear'``: the classifier as it was trained; ``'balanced'``: with aligned weights of the new classes;
            ``'nearest_mean'``: that of the nearest class mean.
        old: Name of the teacher that is the old student; None: there is one teacher only.
    """

    memory: int = 20
    selection: str = 'herding'
    head: str = 'linear'
    old: str | None = None


@dataclass(frozen=True)
class OldStudent:
    """The student that is refreshed, as the config of the refresh names it.

    Attributes:
        name: Its name among the teachers.
        model: Config of its model.
        config: Its whole config.
        checkpoint: Path of its weights.
        classes: Number of its classes.
        new_classes: Number of classes of the student that takes its place.
    """

    name: str
    model: Mapping
    config: Config
    checkpoint: str
    classes: int
    new_classes: int


def read_settings(config: Config) -> RefreshSettings:
    """Read the block ``refresh`` of a config.

    Args:
        config: Config of a distillation.

    Raises:
        KeyError: It holds an unknown key.
        ValueError: There is none, a value is not valid, or the config is no distillation in one stage.
    """
    given = config.get('refresh')
    if given is None:
        names = ', '.join(f'{each.name}=...' for each in fields(RefreshSettings))
        raise WrongValueError(f'refresh: got none in {config.filename or "the config"}; expected refresh=dict({names})')
    Settings('dict(memory=..., selection=..., head=...)').check('refresh', given)
    REFRESH.check('refresh', dict(given))
    if not is_distillation(config):
        raise WrongValueError(
            f"refresh: got model.type={config.model.get('type')!r}; expected 'Distiller', whose teacher is the student "
            'as it was'
        )
    expect_one_stage(config)
    return RefreshSettings(**given)


def old_student(config: Config, settings: RefreshSettings) -> OldStudent:
    """Return what a config says of the student that is refreshed; its checkpoint need not be there yet.

    Args:
        config: Config of the refresh.
        settings: Its block ``refresh``.

    Raises:
        KeyError: There is no such teacher.
        ValueError: The teacher is no student with a config and a checkpoint, or it knows more classes.
    """
    teachers = named_teachers(config.model.get('teacher'))
    name = settings.old or (next(iter(teachers)) if len(teachers) == 1 else None)
    if name not in teachers:
        raise WrongKeyError(
            f'refresh.old: got {name!r}; expected the teacher that is the old student, one of {list(teachers)}'
        )
    given = teachers[name]
    kind, checkpoint = given.get('type'), given.get('checkpoint')
    if kind not in LIVE or given.get('classes') is not None or not checkpoint:
        shown = {key: given.get(key) for key in ('type', 'classes', 'checkpoint')}
        raise WrongValueError(
            f'{name}: got {shown}; expected dict(config=..., checkpoint=...), the old student with all of its classes'
        )
    model, whole = resolve_config(given['config'])
    if whole is None or whole.get('train_dataloader') is None:
        raise WrongValueError(
            f'{name}.config: got a config without train_dataloader; expected that of the training of the old student, '
            'which names the clips that it knows'
        )
    classes, new_classes = (model_parts(each)[1] for each in (model, plain_student(config).model))
    if not classes or not new_classes or classes > new_classes:
        raise WrongValueError(
            f'model.student: got {new_classes} classes; expected at least {classes}, those of the old student, which '
            'come first'
        )
    return OldStudent(name, model, whole, checkpoint, classes, new_classes)


def expect_fitting_head(settings: RefreshSettings, old: OldStudent) -> None:
    """Check that the head that is wanted can be made.

    Args:
        settings: Block ``refresh`` of the config.
        old: The old student.

    Raises:
        ValueError: It cannot.
    """
    if settings.head == 'balanced' and old.classes == old.new_classes:
        raise WrongValueError(
            f"refresh.head: got 'balanced', but there is no class beyond the {old.classes} old ones; expected 'linear' "
            "or 'nearest_mean'"
        )
    if settings.head == 'nearest_mean' and settings.memory == 0:
        raise WrongValueError(
            "refresh.head: got 'nearest_mean' with memory=0; expected memory of at least 1, as every class needs clips"
        )
