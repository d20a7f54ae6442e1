"""A data set in which only some videos have a label."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmaction.datasets import VideoDataset

from mmkd_video.core.checked import AnyOf, Class, ListOf, Number, OneOf, Optional, Settings, Text, Whole, checked
from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.core.registry import DATASETS
from mmkd_video.recognizers.found_videos import find_videos

UNLABELLED = -1
CLIPS = ('all', 'labelled', 'all_unlabelled')
DOMAIN, SOURCE, TARGET = 'domain', 0, 1  # of a clip, in its data sample's metainfo


@DATASETS.register_module()
@checked(
    pipeline=ListOf(AnyOf(Settings("a transform, dict(type='...')", needs=('type',)), Class())),
    unlabelled=Optional(Text('the path of an annotation file, or of a folder of videos')),
    labelled_share=Number(0, 1, above=True),
    label_seed=Whole(0),
    clips=OneOf(*CLIPS),
)
class MixedVideoDataset(VideoDataset):
    """MMAction2's ``VideoDataset`` over a labelled and an unlabelled list.

    A clip is unlabelled where its line in ``ann_file`` has no label, or -1, and wherever it comes from ``unlabelled``.
    It takes part in the terms of a ``Distiller``, not in the task's loss. Where there is ``unlabelled``, each data
    sample's metainfo says under ``domain`` from which list the clip comes: 0 from ``ann_file``, 1 from ``unlabelled``.

    Args:
        ann_file: One ``path label`` a line, as for ``VideoDataset``.
        pipeline: Transforms.
        unlabelled: A second annotation file, whose labels are not used, or a folder, of which all videos are taken;
            relative to ``data_root`` as ``ann_file`` is.
        labelled_share: Share of the clips of each class in ``ann_file`` whose labels are kept; those of the others are
            not used; above 0, at most 1. At least one clip of every class keeps its label.
        label_seed: Seed that decides which clips keep it; not the run's seed, so that all runs see the same labels.
        clips: ``'all'``; or ``'labelled'``: only these, each as often as it takes for an epoch of as many samples, so
            that a student alone takes as many steps as a distilled one.
        **kwargs: Further arguments of ``VideoDataset``.

    Raises:
        ValueError: An argument is out of its range, labels are of several classes, or no clip has one where ``clips``
            asks for these.
        FileNotFoundError: ``unlabelled`` does not exist.
    """

    def __init__(
        self,
        ann_file: str,
        pipeline: Sequence[Mapping | Callable],
        unlabelled: str | None = None,
        labelled_share: float = 1.0,
        label_seed: int = 0,
        clips: str = 'all',
        **kwargs: Any,
    ) -> None:
        if kwargs.get('multi_class'):
            raise WrongValueError('multi_class: got True; MixedVideoDataset takes clips of one class or of none')
        self.unlabelled = unlabelled
        self.labelled_share, self.label_seed, self.clips = labelled_share, label_seed, clips
        super().__init__(ann_file, pipeline=pipeline, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read both lists, and remove the labels that are not used."""
        infos = super().load_data_list()
        kept = choose_labelled([info['label'] for info in infos], self.labelled_share, self.label_seed)
        for index, info in enumerate(infos):
            info['label'] = info['label'] if index in kept else UNLABELLED
        infos += self._read_unlabelled()
        if self.clips == 'all_unlabelled':
            return [{**info, 'label': UNLABELLED} for info in infos]
        if self.clips == 'all':
            return infos
        labelled = [info for info in infos if info['label'] >= 0]
        if not labelled:
            raise WrongValueError(f"{self.ann_file}: no clip has a label; clips='labelled' needs some")
        return [dict(labelled[index % len(labelled)]) for index in range(len(infos))]

    def prepare_data(self, idx: int) -> Any:
        """Load a sample, or several of one clip, and note the domain."""
        found = super().prepare_data(idx)
        if self.unlabelled is not None:
            for each in found if isinstance(found, list) else [found]:
                if isinstance(each, dict) and 'data_samples' in each:
                    each['data_samples'].set_metainfo({DOMAIN: self.get_data_info(idx).get(DOMAIN, SOURCE)})
        return found

    def _read_unlabelled(self) -> list[dict]:
        if self.unlabelled is None:
            return []
        file = Path(self.data_root or '', self.unlabelled)
        if file.is_dir():
            return [
                {'filename': str(path), 'label': UNLABELLED, DOMAIN: TARGET} for path in find_videos(file, 'unlabelled')
            ]
        if not file.is_file():
            raise MissingFileError(
                f'unlabelled: {file} does not exist; expected a list of videos, one path a line, or a folder of them'
            )
        own, self.ann_file = self.ann_file, str(file)
        try:
            return [{**info, 'label': UNLABELLED, DOMAIN: TARGET} for info in super().load_data_list()]
        finally:
            self.ann_file = own


def choose_labelled(labels: Sequence[int], share: float, seed: int) -> set[int]:
    """Choose the samples that keep their labels: the same share of every class, at least one of each.

    Args:
        labels: Labels of all samples; negative where there is none.
        share: Share of the labels that stay, above 0 and at most 1.
        seed: Seed that decides which.
    """
    draw = np.random.default_rng(seed)
    kept: set[int] = set()
    for label in sorted({label for label in labels if label >= 0}):
        members = [index for index, each in enumerate(labels) if each == label]
        count = max(1, round(share * len(members)))
        kept |= {int(index) for index in draw.permutation(members)[:count]}
    return kept
