"""Checks for labels that a model has no class for."""

from collections.abc import Iterable, Sequence
from typing import Any

from mmengine.structures import BaseDataElement
from torch import nn

from mmkd_video.compat.annotation_lines import annotation_files, wrong_line
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.families import scores_frames


def wrong_label(samples: Iterable[BaseDataElement], model: nn.Module, labelled: bool) -> str | None:
    """Return an error message for the first label that is none of a model's classes; None if all are.

    Args:
        samples: Samples with ``gt_label`` of one index ``(1,)``, negative where there is none, soft labels ``(K,)``, or
            indices of frames ``(T,)`` where the model scores frames.
        model: Its ``cls_head.num_classes`` says how many classes there are; where it has none, every label is right.
        labelled: Whether every clip needs a label, as it does without a teacher.
    """
    classes = getattr(getattr(model, 'cls_head', None), 'num_classes', None)
    if classes is None:
        return None
    labels = [sample.gt_label.tolist() for sample in samples if 'gt_label' in sample]
    if scores_frames(model.cls_head):
        labels = [[max(label)] for label in labels]
        labelled = False  # some frames may have none
    for label in labels:
        if labelled and len(label) == 1 and label[0] < 0:
            return (
                f'got label {label[0]}, which means none; without a teacher every clip needs one: leave such out, '
                "or read the list by dict(type='MixedVideoDataset', clips='labelled')"
            )
        if not _fits(label, classes):
            got = f'label {label[0]}' if len(label) == 1 else f'a label of {len(label)} classes'
            return (
                f'got {got}, expected 0 to {classes - 1}, as cls_head.num_classes is {classes}; set num_classes, or '
                'mend the labels'
            )
    return None


def expect_known_classes(dataset: Any, model: nn.Module, labelled: bool = False) -> None:
    """Check that a model has a class for every label in a dataset's annotation files.

    Args:
        dataset: Data set, or a wrapper of several.
        model: Model, as for :func:`wrong_label`.
        labelled: Whether every clip needs a label.

    Raises:
        ValueError: It has not; names file and line.
    """
    classes = getattr(getattr(model, 'cls_head', None), 'num_classes', None)
    in_files = classes is not None and not scores_frames(model.cls_head)  # of frames, they stand beside the videos
    for path, columns in annotation_files(dataset) if in_files else ():
        wrong = wrong_line(path, columns, classes, labelled)
        if wrong:
            raise WrongValueError(wrong)


def _fits(label: Sequence[float], classes: int) -> bool:
    return label[0] < classes if len(label) == 1 else len(label) == classes
