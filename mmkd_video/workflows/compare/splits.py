"""Checks that validation and test are two sets: what is tuned on test is no result."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmkd_video.compat.annotation_rows import Columns, read_rows, video_paths
from mmkd_video.core.mistakes import WrongValueError

SHOWN = 3
OF_LOOKING = ('pipeline', 'test_mode', 'type')  # how a clip is looked at, not which


def check_splits(config: Config) -> None:
    """Check that settings can be chosen on validation without seeing test.

    Args:
        config: Config of any arm.

    Raises:
        ValueError: There is no validation set, it is the test set, or they have clips in common.
    """
    if config.get('val_dataloader') is None:
        raise WrongValueError(
            '--grid: the config has no val_dataloader to choose on; add one. Nothing is ever chosen on test.'
        )
    val, test = (list(_leaves(config[f'{name}_dataloader']['dataset'])) for name in ('val', 'test'))
    remedy = 'settings would be chosen on test; give the validation clips of their own'
    for each in val:
        if each in test:
            raise WrongValueError(
                f'--grid: val_dataloader.dataset is that of test (ann_file={each.get("ann_file")!r}): {remedy}'
            )
    common = sorted(set().union(*map(_lines, val)) & set().union(*map(_lines, test)))
    if common:
        shown = ', '.join(common[:SHOWN])
        raise WrongValueError(f'--grid: {len(common)} clips of validation are in test ({shown}): {remedy}')


def _leaves(dataset: Mapping) -> Iterator[dict[str, Any]]:
    """Yield the settings of the datasets inside wrappers that decide which clips they read."""
    inner = dataset.get('datasets') or ([dataset['dataset']] if 'dataset' in dataset else [])
    for each in inner:
        yield from _leaves(each)
    if not inner:
        yield {key: value for key, value in dataset.items() if key not in OF_LOOKING}


def _lines(dataset: Mapping) -> set[str]:
    """Return the clips of an annotation file by their paths; none where it is not there or no text."""
    path = Path(dataset.get('data_root') or '', dataset.get('ann_file') or '')
    prefix = dataset.get('data_prefix') or {}
    folder = Path(dataset.get('data_root') or '', next(iter(prefix.values()), '') or '')
    if not path.is_file():
        return set()
    rows = [row for row in read_rows(path, Columns(dataset.get('delimiter', ' '))) if row.names]
    return set(video_paths(rows, str(folder)))
