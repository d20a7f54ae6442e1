"""The videos of some classes of a list."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmaction.datasets import VideoDataset

from mmkd_video.core.checked import AnyOf, Class, ListOf, Settings, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import DATASETS


@DATASETS.register_module()
@checked(
    pipeline=ListOf(AnyOf(Settings("a transform, dict(type='...')", needs=('type',)), Class())),
    classes=ListOf(Whole(0), least=1),
)
class ClassVideoDataset(VideoDataset):
    """MMAction2's ``VideoDataset`` over the clips of some classes of an annotation file.

    Labels stay as they are, so that a model of the first classes, and one that learns further ones later, mean the same
    by a label.

    Args:
        ann_file: One ``path label`` a line, as for ``VideoDataset``.
        pipeline: Transforms.
        classes: Labels of the clips that are kept.
        **kwargs: Further arguments of ``VideoDataset``.

    Raises:
        ValueError: One of these classes has no clip.
    """

    leaves_out_classes = True  # the model needs none for what is left out

    def __init__(
        self, ann_file: str, pipeline: Sequence[Mapping | Callable], classes: Sequence[int], **kwargs: Any
    ) -> None:
        if kwargs.get('multi_class'):
            raise WrongValueError('multi_class: got True; ClassVideoDataset takes clips of one class')
        self.kept = tuple(classes)
        super().__init__(ann_file, pipeline=pipeline, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the list, and keep the clips of the wanted classes.

        Raises:
            ValueError: One of them has no clip.
        """
        infos = super().load_data_list()
        missing = sorted(set(self.kept) - {info['label'] for info in infos})
        if missing:
            raise WrongValueError(
                f'classes: got {missing[0]}, of which {self.ann_file} holds no clip; expected labels that occur there'
            )
        return [info for info in infos if info['label'] in self.kept]
