"""Checks that a teacher is better than a simple reference: else nothing can be learnt from it."""

import json
import logging
from collections.abc import Iterable
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.digest import sha256_of_settings
from mmkd_video.core.plain_data import Anything, Number, Record, Table, Whole, read_json
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.train.flow_baseline import FlowBaseline, lists_of
from mmkd_video.workflows.train.prepare import TrainedTeacher
from mmkd_video.workflows.train.run_folder import RunFolder

REFERENCE = 'reference.json'
_REFERENCE = Record(dict(accuracy=Number(0, 1), clips=Whole(0, 10**9), lists=Table(Anything(10_000_000), most=10)))
REMEDY = (
    'nothing can be learnt from a teacher that is not better. More clips, a longer training (budget.min_steps in its '
    'config), more augmentation or another model make a better one'
)


def check_teachers(teachers: Iterable[TrainedTeacher]) -> None:
    """Print for every teacher that was trained here whether it is better than a simple reference.

    A teacher that cannot be compared is named, and stops nothing: this is advice.

    Args:
        teachers: Teachers, which are there.
    """
    for each in teachers:
        try:
            line = check_teacher(read_config(each.config, each.options), each.checkpoint, each.checkpoint.parent)
        except (LookupError, OSError, RuntimeError, ValueError) as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            print_log(f'teacher: not compared with a simple reference ({said})', logger=None, level=logging.WARNING)
            continue
        print_log(line, logger=None, level=logging.WARNING if REMEDY in line else logging.INFO)


def check_teacher(config: Config, checkpoint: Path, work_dir: Path) -> str:
    """Compare a teacher with the simple reference on its validation clips, and print the result.

    Args:
        config: The teacher's whole config.
        checkpoint: Checkpoint with its weights.
        work_dir: Folder that keeps both results.

    Returns:
        One line: a warning where the teacher is not better.

    Raises:
        RuntimeError: The teacher cannot be tested.
        ValueError: A video cannot be read.
    """
    lists = sha256_of_settings(_lists(config)['val'])[:8]
    folder = work_dir / f'{checkpoint.stem}_on_validation_{lists}'
    teacher = RunFolder(folder, _plain(config), checkpoint, splits=('val',))
    metrics = teacher.result()['val']
    accuracy = metrics.get('acc/top1')
    reference, clips = reference_on_validation(config, work_dir)
    return verdict(accuracy, reference, clips)


def verdict(teacher: float | None, reference: float, clips: int, other: str = 'the simple reference') -> str:
    """Return what the two accuracies mean.

    Args:
        teacher: Accuracy of the teacher, 0 to 1; None where it is not measured.
        reference: Accuracy of what it should be above.
        clips: Number of clips in the validation.
        other: Name of the reference.
    """
    if teacher is None:
        return f'teacher: its validation measures no acc/top1; not compared with {other} ({reference:.1%})'
    line = f'teacher: {teacher:.1%} of {clips} validation clips, {other} {reference:.1%}'
    if teacher > reference:
        return line
    return f'{line}: {REMEDY}.'


def reference_on_validation(config: Config, work_dir: Path) -> tuple[float, int]:
    """Return the accuracy of flow histograms on a config's validation clips, and how many there are.

    Args:
        config: Config with the loaders of training and validation.
        work_dir: Folder that keeps the result.
    """
    lists, known = lists_of(config), _lists(config)
    path = work_dir / REFERENCE
    try:
        found = read_json(path.read_bytes(), _REFERENCE, str(path))
        if found['lists'] == known:
            return found['accuracy'], found['clips']
    except (OSError, ValueError):
        pass
    print_log('the simple reference: optical flow of the training and validation clips', logger=None)
    score = FlowBaseline().score(lists['train'], lists['val'], 'val')
    work_dir.mkdir(parents=True, exist_ok=True)
    note = dict(accuracy=score.accuracy, clips=score.clips, lists=known)
    write_atomically(json.dumps(note).encode(), path)
    return score.accuracy, score.clips


def _lists(config: Config) -> dict[str, list[list]]:
    lists = {name: clips for name, clips in lists_of(config).items() if name in ('train', 'val')}
    return {name: [[str(clip), label] for clip, label in clips] for name, clips in lists.items()}


def _plain(config: Config) -> Config:
    plain = Config(config.to_dict(), filename=config.filename)
    plain.prepare = plain.budget = None
    return plain
