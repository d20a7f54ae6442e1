"""The length of a training whose config gives it in steps: the number of epochs follows from the number of clips."""

import math
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from mmkd_video.compat.annotation_rows import Columns, read_rows
from mmkd_video.core.checked import Whole, table_of
from mmkd_video.recognizers.found_videos import find_videos

BUDGET = table_of('budget', dict(min_steps=Whole(0), min_epochs=Whole(1), validations=Whole(1)))
DEFAULTS = dict(min_steps=0, min_epochs=1, validations=5)
CHECKPOINTS = 20  # of a training; every epoch of a few steps would be too many


def set_epochs_from_budget(config: Config) -> None:
    """Set ``train_cfg.max_epochs`` from ``budget``; a value from the config or the command line stays.

    ``budget = dict(min_steps=<optimizer steps>, min_epochs=<epochs>, validations=<how many>)``: at least so many steps
    (of the whole batch, in one process) and at least so many epochs. Learning rate schedules without ``end`` follow.

    Args:
        config: Config of a training, with the command line merged; it is changed.

    Raises:
        KeyError: ``budget`` holds an unknown key.
        ValueError: A number in it is out of its range.
    """
    budget = config.get('budget')
    loop = config.get('train_cfg')
    if not budget or not loop or 'max_epochs' in loop or 'max_iters' in loop:
        return
    BUDGET.check('budget', dict(budget))
    wanted = {**DEFAULTS, **budget}
    clips = count_clips(config.train_dataloader['dataset'])
    if not clips:
        return  # the training says better what is missing
    steps = math.ceil(clips / config.train_dataloader['batch_size'])
    epochs = max(wanted['min_epochs'], math.ceil(wanted['min_steps'] / steps))
    loop.update(max_epochs=epochs)
    loop.setdefault('val_interval', max(1, epochs // wanted['validations']))
    checkpoint = (config.get('default_hooks') or {}).get('checkpoint')
    if checkpoint is not None:
        checkpoint.setdefault('interval', 1)
        checkpoint['interval'] = max(checkpoint['interval'], epochs // CHECKPOINTS)
    print_log(f'budget: {clips} training clips, so {epochs} epochs of {steps} steps', logger=None)


def count_clips(dataset: Mapping) -> int:
    """Return the number of clips in the lists, and in the folder, of a data set; 0 where they are missing.

    Args:
        dataset: Its config.
    """
    times = dataset.get('times', 1)
    inner = dataset.get('datasets') or ([dataset['dataset']] if 'dataset' in dataset else [])
    if inner:
        return times * sum(map(count_clips, inner))
    named = (dataset.get('ann_file'), dataset.get('unlabelled'))
    files = [Path(dataset.get('data_root') or '', name) for name in named if name]
    columns = Columns(dataset.get('delimiter', ' '))
    listed = sum(bool(row.text) for file in files if file.is_file() for row in read_rows(file, columns))
    return listed + sum(len(find_videos(file, 'unlabelled')) for file in files if file.is_dir())
