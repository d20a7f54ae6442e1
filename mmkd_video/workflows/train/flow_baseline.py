"""A baseline without a network: histograms of optical flow and logistic regression."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config

from mmkd_video.compat.annotation_rows import Columns, read_rows, video_paths
from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.core.status_line import StatusLine
from mmkd_video.datasets.mixed_video_dataset import choose_labelled
from mmkd_video.evaluation import LogisticRegression, flow_histogram
from mmkd_video.recognizers.class_folders import folder_of_lists
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.plain_student import plain_student

Clips = Sequence[tuple[Path, int]]
SPLITS = ('val', 'test')


@dataclass(frozen=True)
class Score:
    """The number of clips of a list that were classified correctly.

    Args:
        name: Name of the list.
        right: Number of clips that were classified correctly.
        clips: Number of all clips.
    """

    name: str
    right: int
    clips: int

    @property
    def accuracy(self) -> float:
        """0 to 1."""
        return self.right / self.clips

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the accuracy on more such clips (Wilson's)."""
        share, count, z = self.accuracy, self.clips, 1.96
        middle = share + z * z / (2 * count)
        half = z * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
        low, high = ((middle + sign * half) / (1 + z * z / count) for sign in (-1, 1))
        return max(low, 0.0), min(high, 1.0)

    def __str__(self) -> str:
        low, high = self.interval
        return f'{self.name:12} {self.accuracy:6.1%} of {self.clips} clips (95 %: {low:.1%} to {high:.1%})'


class FlowBaseline:
    """Histograms of flow and logistic regression; every video is read once, nothing is kept on disk."""

    def __init__(self) -> None:
        self._known: dict[Path, np.ndarray] = {}

    def describe(self, clips: Iterable[Path]) -> None:
        """Compute the histograms of videos, with a line that shows the progress.

        Raises:
            ValueError: A video cannot be read.
            FileNotFoundError: There is no such video.
        """
        missing = [clip for clip in dict.fromkeys(clips) if clip not in self._known]
        with StatusLine() as line:
            for done, clip in enumerate(missing):
                line.show(f'optical flow: {done} of {len(missing)} videos')
                self._known[clip] = flow_histogram(clip)

    def score(self, train: Clips, test: Clips, name: str) -> Score:
        """Fit on one list and score on another; clips without label (-1) are left out.

        Raises:
            ValueError: A list has no labelled clip, or a video cannot be read.
            FileNotFoundError: There is no such video.
        """
        lists = [[(clip, label) for clip, label in each if label >= 0] for each in (train, test)]
        for which, each in zip(('for training', f'of {name}'), lists, strict=True):
            if not each:
                raise WrongValueError(f'the list {which} has no clip with a label; expected one `path label` a line')
        self.describe(clip for each in lists for clip, _ in each)
        (features, labels), (unseen, expected) = map(self._arrays, lists)
        found = LogisticRegression().fit(features, labels, int(max(labels.max(), expected.max())) + 1).predict(unseen)
        return Score(name, int((found == expected).sum()), len(expected))

    def _arrays(self, clips: Clips) -> tuple[np.ndarray, np.ndarray]:
        return np.stack([self._known[clip] for clip, _ in clips]), np.array([label for _, label in clips])


def score_source(
    source: str, *, prefix: str = '', folds: str | None = None, cfg_options: Mapping | None = None
) -> list[Score]:
    """Fit on the training list of a data set and score on the others, or do so in every fold.

    Args:
        source: Folder with lists, or a config.
        prefix: Subfolder in which the paths of the lists begin.
        folds: Folder in the source, with ``fold<k>_train.txt`` and ``fold<k>_test.txt``; None: no folds.
        cfg_options: Settings that replace those of the config, by dotted key.

    Raises:
        FileNotFoundError: There is no such source, list or video.
        ValueError: A list or a video cannot be read.
    """
    if folds is None:
        return score_lists(find_lists(source, prefix, cfg_options))
    if not Path(source).is_dir():
        raise MissingFileError(f'{source} is no folder; --folds expects one with videos and lists')
    return score_folds(Path(source), folds, prefix)


def score_lists(lists: Mapping[str, Clips]) -> list[Score]:
    """Fit on ``train`` and score on the others.

    Args:
        lists: Videos and labels by name of the list.

    Raises:
        ValueError: A list has no labelled clip, or a video cannot be read.
        FileNotFoundError: There is no such video.
    """
    baseline = FlowBaseline()
    return [baseline.score(lists['train'], clips, name) for name, clips in lists.items() if name != 'train']


def score_folds(root: Path, folder: str, prefix: str = '') -> list[Score]:
    """Fit and score on every fold; the last score is that of all test clips together.

    Args:
        root: Folder of the videos.
        folder: Folder in it, with ``fold<k>_train.txt`` and ``fold<k>_test.txt``.
        prefix: Subfolder of ``root`` in which the paths of the lists begin.

    Raises:
        FileNotFoundError: There are no folds, or a video is missing.
        ValueError: A list or a video cannot be read.
    """
    tests = sorted(Path(root, folder).glob('fold*_test.txt'), key=lambda path: (len(path.name), path.name))
    if not tests:
        raise MissingFileError(
            f'{Path(root, folder)} holds no fold<k>_test.txt; expected fold0_train.txt, fold0_test.txt, and so on'
        )
    baseline, scores = FlowBaseline(), []
    for test in tests:
        train = test.with_name(test.name.replace('_test.txt', '_train.txt'))
        lists = [read_list(path, Path(root, prefix)) for path in (train, test)]
        scores.append(baseline.score(*lists, name=test.name.removesuffix('_test.txt')))
    every = Score('all folds', sum(each.right for each in scores), sum(each.clips for each in scores))
    return [*scores, every]


def find_lists(source: str, prefix: str = '', cfg_options: Mapping | None = None) -> dict[str, Clips]:
    """Return the videos of ``train``, and of ``val`` and ``test`` where there are such lists.

    Args:
        source: A folder with lists, or a config.
        prefix: Subfolder in which the paths of the lists begin.
        cfg_options: Settings that replace those of the config, by dotted key.

    Raises:
        FileNotFoundError: There is no such source or list.
        ValueError: A list cannot be read, or only that of the training is there.
    """
    if Path(source).is_dir():
        root = Path(source)
        if not (root / 'train.txt').is_file() and any(each.is_dir() for each in root.iterdir()):
            root = folder_of_lists(root)
        files = {name: root / f'{name}.txt' for name in ('train', *SPLITS)}
        lists = {
            name: read_list(file, root / prefix) for name, file in files.items() if name == 'train' or file.exists()
        }
    else:
        lists = lists_of(read_config(source, cfg_options))
    if len(lists) < 2:
        raise WrongValueError(f'{source}: there is no val.txt and no test.txt; expected one of them, or use --folds')
    return lists


def lists_of(config: Config) -> dict[str, Clips]:
    """Return the videos of a config's loaders by ``'train'``, ``'val'`` and ``'test'``, as far as it has them.

    Raises:
        FileNotFoundError: A list is missing.
        ValueError: It has no training list of videos.
    """
    lists: dict[str, Clips] = {}
    for name in ('train', *SPLITS):
        dataset = (plain_student(config).get(f'{name}_dataloader') or {}).get('dataset') or {}
        while 'dataset' in dataset and 'ann_file' not in dataset:  # RepeatDataset and other wrappers
            dataset = dataset['dataset']
        if not dataset.get('ann_file'):
            continue
        root = Path(dataset.get('data_root') or '')
        prefix = (dataset.get('data_prefix') or {}).get('video') or ''
        clips = read_list(root / dataset['ann_file'], root / prefix, dataset.get('delimiter', ' '))
        share = dataset.get('labelled_share', 1.0)
        if share != 1.0:  # what the network learns from, too
            kept = choose_labelled([label for _, label in clips], share, dataset.get('label_seed', 0))
            clips = [(clip, label if place in kept else -1) for place, (clip, label) in enumerate(clips)]
        lists[name] = clips
    if 'train' not in lists:
        raise WrongValueError(f'{config.filename}: train_dataloader.dataset has no ann_file; expected a list of videos')
    return lists


def read_list(file: Path, root: Path, delimiter: str = ' ') -> Clips:
    """Read an annotation file of videos.

    Args:
        file: One ``path label`` a line; a line without label means -1.
        root: Folder in which the paths begin.
        delimiter: Character between name and label.

    Raises:
        FileNotFoundError: There is no such file, or its first video is missing.
        ValueError: A line cannot be read, or a label is no whole number.
    """
    if not file.is_file():
        raise MissingFileError(f'{file} does not exist; expected a list of videos, one `path label` a line')
    rows = []
    for row in read_rows(file, Columns(delimiter)):
        if row.problem and (row.text or 'an empty line' not in row.problem):
            raise WrongValueError(f'{file}:{row.number}: {row.problem}')
        if len(row.labels) > 1 or not all(re.fullmatch(r'-?\d+', label) for label in row.labels):
            raise WrongValueError(
                f'{file}:{row.number}: got {row.text!r}; expected `path label`, the label a whole number from 0'
            )
        rows += [row] if row.names else []
    labels = [int((row.labels or ('-1',))[0]) for row in rows]
    clips = [(Path(path), label) for path, label in zip(video_paths(rows, str(root)), labels, strict=True)]
    if clips and not clips[0][0].is_file():
        raise MissingFileError(
            f'{clips[0][0]} does not exist, the first video of {file}; where the paths begin in a folder of their own, '
            'say so with --prefix'
        )
    return clips
