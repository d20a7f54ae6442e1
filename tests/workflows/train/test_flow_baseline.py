"""The simple reference: its lists, its labels and its interval."""

import pytest
from mmengine.config import Config

from mmkd_video.workflows.train.flow_baseline import Score, lists_of, read_list


def test_a_label_that_is_no_number_names_its_line(tmp_path):
    (tmp_path / 'train.txt').write_text('a.mp4 left\n')
    with pytest.raises(ValueError, match=r"train.txt:1: got 'a.mp4 left'"):
        read_list(tmp_path / 'train.txt', tmp_path)


def test_the_interval_is_wilsons():
    low, high = Score('x', 9, 10).interval
    assert (round(low, 3), round(high, 3)) == (0.596, 0.982)


def test_of_few_labels_the_reference_sees_as_few(tmp_path):
    (tmp_path / 'a.mp4').touch()
    (tmp_path / 'train.txt').write_text('a.mp4 0\na.mp4 1\n' * 10)
    dataset = dict(ann_file='train.txt', data_root=str(tmp_path), data_prefix=dict(video=''))
    few = dict(dataset, type='MixedVideoDataset', labelled_share=0.2)
    loaders = [dict(dataset=each) for each in (dataset, few)]
    found = [lists_of(Config(dict(model={}, train_dataloader=each)))['train'] for each in loaders]
    labels = [[label for _, label in clips if label >= 0] for clips in found]
    assert len(labels[0]) == 20 and sorted(labels[1]) == [0, 0, 1, 1]
