"""The keys of whole configs: those of MMEngine are checked in the same table and with the same messages as ours."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from mmkd_video.core.checked import (
    AnyOf,
    Flag,
    ListOf,
    Number,
    Optional,
    Settings,
    Text,
    Whole,
    did_you_mean,
    invalid_setting,
    table_of,
)
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.recognizers.compiling import COMPILE, OPTIONS

BUILT = Settings("a dict with its type, dict(type='...')", needs=('type',))
ONE_OR_SEVERAL = Optional(AnyOf(BUILT, ListOf(BUILT)))
CLASSES = Whole(1)
LOADER = dict(
    batch_size=Whole(1), num_workers=Whole(0), persistent_workers=Flag(), drop_last=Flag(), dataset=BUILT, sampler=BUILT
)
LOOPS = ('EpochBasedTrainLoop', 'IterBasedTrainLoop')
LOOP_KEYS = ('type', 'by_epoch', 'max_epochs', 'max_iters', 'val_begin', 'val_interval', 'dynamic_intervals')
SCOPE = '_scope_'  # MMEngine writes it into every dict of a config that is inherited from another package
SCHEDULED = {'begin', 'end', 'T_max', 'step_size', 'total_steps', 'gamma', 'start_factor', 'end_factor', 'eta_min'}
OTHER_KEYS = ('custom_imports', 'default_scope', 'env_cfg', 'log_level', 'log_processor', 'visualizer', 'vis_backends')
CONFIG = table_of(
    'config',
    {
        'model': BUILT,
        'work_dir': Optional(Text('the path of a folder')),
        'load_from': Optional(Text('the path or URL of a checkpoint')),
        'resume': Flag(),
        'randomness': Optional(Settings('dict(seed=...)')),
        'randomness.seed': Optional(Whole(0), 'drawn'),
        'randomness.deterministic': Flag(),
        'randomness.diff_rank_seed': Flag(),
        'optim_wrapper': Optional(Settings('dict(optimizer=...)')),
        'optim_wrapper.optimizer': BUILT,
        'optim_wrapper.optimizer.lr': Number(0),
        'optim_wrapper.optimizer.weight_decay': Number(0),
        'optim_wrapper.optimizer.momentum': Number(0),
        'optim_wrapper.accumulative_counts': Whole(1),
        'optim_wrapper.clip_grad': Optional(Settings('dict(max_norm=...)')),
        'param_scheduler': ONE_OR_SEVERAL,
        'train_cfg': Optional(Settings('dict(max_epochs=...)')),
        'train_cfg.max_epochs': Whole(1),
        'train_cfg.max_iters': Whole(1),
        'train_cfg.val_interval': Whole(1),
        'train_cfg.val_begin': Whole(0),
        'custom_hooks': Optional(ListOf(BUILT)),
        'default_hooks': Optional(Settings('a dict of hooks')),
        'default_hooks.checkpoint': Optional(Settings("dict(type='CheckpointHook', ...)")),
        'default_hooks.checkpoint.interval': Whole(-1),
        'default_hooks.logger.interval': Whole(1),
        'activation_checkpointing': Optional(AnyOf(Text('the name of a module'), ListOf(Text('the name of a module')))),
        'compile': Optional(COMPILE),
        **{f'compile.{key}': kind for key, kind in OPTIONS.kinds.items()},
        'auto_scale_lr': Optional(Settings('dict(base_batch_size=...)')),
        'stages': Optional(ListOf(Settings("dict(name='...', ...)", needs=('name',)))),
        'val_cfg': Optional(Settings("dict(type='ValLoop')")),
        'test_cfg': Optional(Settings("dict(type='TestLoop')")),
        'val_evaluator': ONE_OR_SEVERAL,
        'test_evaluator': ONE_OR_SEVERAL,
        **{f'{part}_dataloader': Optional(Settings('dict(dataset=...)')) for part in ('train', 'val', 'test')},
        **{f'{part}_dataloader.{key}': kind for part in ('train', 'val', 'test') for key, kind in LOADER.items()},
    },
    more=True,
)


def check_config(config: Config) -> None:
    """Check the keys and values of a whole config before anything is built.

    Args:
        config: Config with all options merged.

    Raises:
        KeyError: A key looks like a misspelt one of MMEngine.
        ValueError: A value is not valid; the message names the key.
    """
    if 'model' not in config:
        raise WrongValueError(
            f'model: got nothing in {config.filename or "the config"}; expected {BUILT.expected}; give the config of a '
            'training, which inherits a model or holds one'
        )
    _expect_no_misspelt_key(config)
    for key, kind in CONFIG.kinds.items():
        value, found = config, True
        for part in key.split('.'):
            found = found and hasattr(value, 'get') and part in value
            value = value[part] if found else None
        if found:
            kind.check(key, value)
    _expect_known_loop(config.get('train_cfg'))
    _expect_numbers(config.get('param_scheduler') or [])
    for where, value in _dicts(config.model, 'model'):
        if where.endswith('cls_head') and 'num_classes' in value:
            CLASSES.check(f'{where}.num_classes', value['num_classes'])
    for part in config:
        for where, value in _dicts(config[part], part):
            kind = value.get('type')
            if kind is not None and not isinstance(kind, str) and not callable(kind):
                raise invalid_setting(f'{where}.type', kind, 'the name of a registered class')


def _expect_no_misspelt_key(config: Config) -> None:
    """Refuse a key that looks like a misspelt one of MMEngine: it would be ignored."""
    known = {key.partition('.')[0] for key in CONFIG.kinds} | set(OTHER_KEYS)
    for key in config:
        near = [] if key in known else difflib.get_close_matches(key, known - set(config), 1, cutoff=0.9)
        if near:
            raise WrongKeyError(
                f'{key}: got a key that nothing reads; expected {near[0]}, which the config does not have'
            )


def _expect_known_loop(train_cfg: Mapping | None) -> None:
    """Refuse a key that MMEngine's own loops do not have: they would refuse it too, or ignore it."""
    if train_cfg is None or train_cfg.get('type', 'EpochBasedTrainLoop') not in LOOPS:
        return
    for key in train_cfg:
        if key not in (*LOOP_KEYS, SCOPE):
            expected = f'a key of {" or ".join(LOOPS)}: {", ".join(sorted(LOOP_KEYS))}'
            raise invalid_setting(f'train_cfg.{key}', train_cfg[key], expected, did_you_mean(key, LOOP_KEYS))


def _expect_numbers(schedulers: Mapping | list) -> None:
    for where, value in _dicts(schedulers, 'param_scheduler'):
        for key in SCHEDULED & set(value):
            if not isinstance(value[key], (int, float)) or isinstance(value[key], bool):
                raise invalid_setting(f'{where}.{key}', value[key], 'a number')


def _dicts(value: Any, where: str) -> Iterator[tuple[str, Mapping]]:
    """Yield every dict in a part of a config, with its dotted key."""
    if isinstance(value, Mapping):
        yield where, value
        items = value.items()
    else:
        items = enumerate(value) if isinstance(value, list | tuple) else ()
    for key, item in items:
        yield from _dicts(item, f'{where}.{key}')
