"""The arms of a comparison: the student alone, distilled in one or several ways, and alone for as long."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.hooks.run_record import difference, flatten
from mmkd_video.recognizers.plain_student import is_distillation, plain_student
from mmkd_video.recognizers.stages import stages_of

ALONE, DISTILLED, AS_LONG = 'student alone', 'student distilled', 'student alone, as long'
SHARED = (
    'model',
    'train_dataloader',
    'train_cfg',
    'optim_wrapper',
    'param_scheduler',
    'randomness',
    'load_from',
    'auto_scale_lr',
    'custom_hooks',
    'default_hooks',
    'val_dataloader',
    'val_evaluator',
    'test_dataloader',
    'test_evaluator',
)


@dataclass(frozen=True)
class Arm:
    """One way to train the student.

    Args:
        name: Name in tables.
        folder: Folder of its runs, below the work dir.
        config: Config, with the teacher and its views for a distilled arm; for the others the distillation's too, from
            which :meth:`training` takes the teacher away, so that one key means the same in all arms.
        kind: ``ALONE``, ``DISTILLED`` or ``AS_LONG``.
        epochs: Epochs (or iterations) of training for ``AS_LONG``; None: as shipped.
        of: Name of the distilled arm whose time is bought, for ``AS_LONG``.
    """

    name: str
    folder: str
    config: Config
    kind: str
    epochs: int | None = None
    of: str | None = None

    def training(self, config: Config) -> Config:
        """Return the config that is really trained.

        Args:
            config: The arm's config with a point's settings; it is not changed.
        """
        trained = config if self.kind == DISTILLED else plain_student(config)
        return trained if self.epochs is None else stretched(trained, self.epochs)


def make_arms(configs: Mapping[str, Config]) -> list[Arm]:
    """Return the student alone, then one distilled arm for each config.

    Args:
        configs: Distillation configs by name.

    Raises:
        ValueError: A config does not distil, has wrong stages, or they do not have one plain student, trained and
            tested in one way.
    """
    for name, config in configs.items():
        if not is_distillation(config):
            raise WrongValueError(f"{name}: model.type is {config.model.get('type')!r}; expected 'Distiller'")
        stages_of(config)
    first, *others = configs
    expected = baseline_settings(configs[first])
    for name in others:
        got = baseline_settings(configs[name])
        if got != expected:
            raise WrongValueError(
                f'{name}: its student alone is not that of {first}, and one baseline is for all; compare it in a table '
                f'of its own, or give both one student, data and schedule:\n{difference(expected, got)}'
            )
    arms = [Arm(ALONE, arm_folder(ALONE), configs[first], ALONE)]
    for name, config in configs.items():
        title = DISTILLED if len(configs) == 1 else f'{DISTILLED}: {name}'
        arms.append(Arm(title, arm_folder(DISTILLED, name), config, DISTILLED))
    return arms


def arm_folder(kind: str, config: str = '') -> str:
    """Return the name of the folder for the runs of an arm.

    Args:
        kind: ``ALONE`` or ``DISTILLED``.
        config: Name of the config of a distilled arm.
    """
    return '_'.join([*kind.split(), *([config] if kind == DISTILLED else [])])


def baseline_settings(config: Config) -> dict[str, Any]:
    """Return the settings of a distillation that determine its student alone, flattened.

    Args:
        config: The distillation config.
    """
    plain = plain_student(config)
    return flatten({key: plain[key] for key in SHARED if plain.get(key) is not None})


def length_of(config: Config) -> tuple[str, int]:
    """Return the key of ``train_cfg`` that holds the length of training, and its value.

    Raises:
        ValueError: Neither epochs nor iterations are given.
    """
    for key in ('max_epochs', 'max_iters'):
        if config.train_cfg.get(key):
            return key, int(config.train_cfg[key])
    raise WrongValueError('train_cfg: got neither max_epochs nor max_iters; expected one of them')


def stretched(config: Config, length: int) -> Config:
    """Return a config that trains for another number of epochs (or iterations), with its schedules stretched along.

    ``begin``, ``end``, ``T_max``, ``step_size`` and ``milestones`` of every parameter scheduler are scaled, whether it
    counts epochs or iterations. Settings of hooks are not.

    Args:
        config: Config as shipped; it is not changed.
        length: The new ``max_epochs`` or ``max_iters``.
    """
    longer = Config(config.to_dict(), filename=config.filename)
    key, before = length_of(config)
    longer.train_cfg[key] = length
    schedulers = longer.get('param_scheduler') or []
    for scheduler in schedulers if isinstance(schedulers, (list, tuple)) else [schedulers]:
        _stretch(scheduler, length / before)
    return longer


def _stretch(scheduler: dict, factor: float) -> None:
    begin, end = scheduler.get('begin', 0), scheduler.get('end')
    to_the_end = scheduler.get('T_max') is not None and end is not None and scheduler['T_max'] == end - begin
    for key in ('begin', 'end', 'T_max', 'step_size', 'total_steps'):
        if isinstance(scheduler.get(key), (int, float)) and scheduler[key] != float('inf'):
            scheduler[key] = round(scheduler[key] * factor)
    if to_the_end:  # two numbers, each rounded, would leave a step over
        scheduler['T_max'] = scheduler['end'] - scheduler.get('begin', 0)
    if scheduler.get('milestones'):
        scheduler['milestones'] = [round(each * factor) for each in scheduler['milestones']]
