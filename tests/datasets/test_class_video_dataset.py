"""A list of which some classes are taken."""

import pytest
from mmaction.datasets import VideoDataset
from torch import nn

from mmkd_video.core.registry import DATASETS
from mmkd_video.datasets.label_check import expect_known_classes

LINES = [('a.mp4', 0), ('b.mp4', 3), ('c d.mp4', 1), ('e.mp4', 3)]


@pytest.fixture
def listed(tmp_path):
    path = tmp_path / 'train.txt'
    path.write_text(''.join(f'{name} {label}\n' for name, label in LINES))
    return dict(type='ClassVideoDataset', ann_file=str(path), pipeline=[])


def test_the_clips_of_the_wanted_classes_stay_with_their_labels(listed):
    dataset = DATASETS.build(dict(listed, classes=[3, 1]))
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert [(each['filename'], each['label']) for each in infos] == LINES[1:]


def test_a_model_needs_no_class_for_the_others(listed):
    model = nn.Module()
    model.cls_head = nn.Module()
    model.cls_head.num_classes = 2
    expect_known_classes(DATASETS.build(dict(listed, classes=[0, 1])), model)
    with pytest.raises(ValueError, match='got label'):
        expect_known_classes(VideoDataset(listed['ann_file'], pipeline=[]), model)


@pytest.mark.parametrize(
    ('classes', 'said'),
    [
        ([0, 2], 'classes: got 2, of which .*train.txt holds no clip; expected labels that occur there'),
        ([], 'ClassVideoDataset.classes: got .*; expected a list'),
        (['left'], r"classes\[0\]: got 'left'; expected a whole number"),
    ],
)
def test_classes_that_cannot_be_meant_are_told(listed, classes, said):
    with pytest.raises(ValueError, match=said):
        DATASETS.build(dict(listed, classes=classes))
