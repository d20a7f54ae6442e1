"""Names of the classes of a run, without executing its config."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmkd_video.recognizers.class_names import class_names
from mmkd_video.recognizers.pipelines import innermost_dataset
from mmkd_video.workflows.report.config_literals import DAMAGED, dumped_config, read_literals


def labels_of(runs: Sequence[Path], count: int, root: Path, problems: list[str]) -> list[str]:
    """Return a name for each class; ``class 7`` where there is none.

    Args:
        runs: Folders of runs, whose configs say where the names are.
        count: Number of classes.
        root: Folder that relative paths begin from.
        problems: List that gets a line where a name could not be found.
    """
    reasons = []
    for run in runs[:1]:
        try:
            found = class_names(_from(root, read_literals(dumped_config(run))), count)
        except DAMAGED as error:
            reasons.append(f'{type(error).__name__}: {str(error)[:200]}')
            continue
        if found is not None:
            return list(found)
    why = f' ({reasons[0]})' if reasons else ''
    problems.append(f'no names of the {count} classes were found{why}; --data-root is the folder where paths begin')
    return [f'class {index}' for index in range(count)]


def _from(root: Path, config: dict[str, Any]) -> Config:
    """Return the part of a config that leads to the names, its paths beginning from a folder."""
    dataset = dict(innermost_dataset(config.get('test_dataloader')))
    if isinstance(dataset.get('data_root'), str):
        dataset['data_root'] = str(root / dataset['data_root'])
    elif isinstance(dataset.get('ann_file'), str):
        dataset['ann_file'] = str(root / dataset['ann_file'])
    found = dict(test_dataloader=dict(dataset=dataset), classes=config.get('classes'))
    if isinstance(config.get('label_map'), str):
        found['label_map'] = str(root / config['label_map'])
    return Config(found)
