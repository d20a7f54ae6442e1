"""The stages of a config: trainings of one student in a row, each from the weights of the one before."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from mmkd_video.core.checked import AnyOf, Flag, ListOf, Optional, Settings, Text, table_of
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.budget import set_epochs_from_budget
from mmkd_video.recognizers.config import merge_cfg_options
from mmkd_video.recognizers.config_keys import check_config
from mmkd_video.recognizers.label_free import fit_to_data, without_labels
from mmkd_video.recognizers.plain_student import is_distillation, plain_student

_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9_-]*')
_DICT = Settings('a dict that is merged into that of the config')
OWN = ('name', 'labels')
STAGE = table_of(
    'stages',
    dict(
        name=Text('text of letters, digits, - and _, which its folder is called'),
        labels=Flag(),
        model=_DICT,
        train_dataloader=_DICT,
        train_cfg=_DICT,
        budget=_DICT,
        optim_wrapper=_DICT,
        param_scheduler=Optional(AnyOf(_DICT, ListOf(_DICT))),
        custom_hooks=ListOf(_DICT),
        default_hooks=_DICT,
        prepare=_DICT,
    ),
    required=('name',),
)
STAGES = ListOf(Settings("dict(name='...', ...)", needs=('name',)), least=2)


@dataclass
class Stage:
    """One of the trainings.

    Attributes:
        name: Its name.
        config: Its whole config, without ``stages``.
    """

    name: str
    config: Config

    def begin_from(self, checkpoint: str) -> None:
        """Let it begin from the student of the stage before.

        Args:
            checkpoint: Path of the student's weights.
        """
        self.config.load_from = checkpoint


def stages_of(config: Config) -> list[Stage]:
    """Return the stages of a config, in order; none where it has no ``stages``.

    Each is the config with what the stage says merged into it. Without a teacher (``model=dict(teacher=None)``) it is
    the training of the student alone. With ``labels=False`` it learns from the teacher alone, and what it leaves out is
    chosen by :func:`~mmkd_video.recognizers.label_free.fit_to_data`. Only the last one is validated and tested.

    Args:
        config: Whole config of a distillation; it is not changed.

    Raises:
        KeyError: A stage holds an unknown key.
        ValueError: There is one stage only, a value is not valid, two have one name, or the students differ.
    """
    given = config.get('stages')
    if given is None:
        return []
    STAGES.check('stages', given)
    if not is_distillation(config):
        raise WrongValueError(
            f"stages: got model.type={config.model.get('type')!r}; expected 'Distiller', which the stages change"
        )
    names = [_checked_name(index, stage) for index, stage in enumerate(given)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise WrongValueError(f'stages: got {twice!r} as the name of several; expected a name for each')
    return [_stage(config, index, dict(stage), index == len(given) - 1) for index, stage in enumerate(given)]


def expect_one_stage(config: Config) -> None:
    """Refuse a config with stages, for a tool that trains once.

    Raises:
        ValueError: It has some.
    """
    if config.get('stages') is not None:
        raise WrongValueError(
            f'stages: got {len(config.stages)} in {config.filename or "the config"}; expected none, since this tool '
            'trains once; tools/distill.py trains them in order'
        )


def _checked_name(index: int, stage: Mapping[str, Any]) -> str:
    STAGE.check(f'stages[{index}]', dict(stage))
    if not _NAME.fullmatch(stage['name']):
        raise WrongValueError(f'stages[{index}].name: got {stage["name"]!r}; expected {STAGE.kinds["name"].expected}')
    return stage['name']


def _stage(config: Config, index: int, given: dict[str, Any], is_last: bool) -> Stage:
    where, name = f'stages[{index}]', given['name']
    settings = {key: value for key, value in config.to_dict().items() if key != 'stages'}
    whole = Config(settings, filename=config.filename)
    merge_cfg_options(whole, {key: value for key, value in given.items() if key not in OWN})
    _expect_same_student(config, whole, where)
    if 'budget' in given and not {'max_epochs', 'max_iters'} & set(given.get('train_cfg') or {}):
        for key in ('max_epochs', 'max_iters', 'val_interval'):
            whole.train_cfg.pop(key, None)
    if not given.get('labels', True):
        if not whole.model.get('teacher'):
            raise WrongValueError(f'{where}.labels: got False without a teacher; expected one, from which it learns')
        without_labels(whole)
        set_epochs_from_budget(whole)
        fit_to_data(whole, length=not {'train_cfg', 'budget'} & set(given), schedule='param_scheduler' not in given)
    set_epochs_from_budget(whole)
    if not whole.model.get('teacher'):
        whole = plain_student(whole)
    if not is_last:
        whole.val_dataloader = whole.val_cfg = whole.val_evaluator = None
        whole.test_dataloader = whole.test_cfg = whole.test_evaluator = None
    check_config(whole)
    return Stage(name, whole)


def _expect_same_student(config: Config, stage: Config, where: str) -> None:
    wanted, got = (each.to_dict()['model'].get('student') for each in (config, stage))
    if not is_distillation(stage) or wanted != got:
        raise WrongValueError(
            f"{where}.model: got another student than the config's; expected the same, whose weights go from stage to "
            'stage'
        )
