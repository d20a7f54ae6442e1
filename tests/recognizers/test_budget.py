"""Epochs that follow from the number of clips."""

import pytest
from mmengine.config import Config

from mmkd_video.recognizers.budget import count_clips, set_epochs_from_budget
from mmkd_video.recognizers.config import read_config


@pytest.fixture
def write(tmp_path):
    def config(clips, loop='dict(type="EpochBasedTrainLoop")', budget='dict(min_steps=400, min_epochs=12)'):
        (tmp_path / 'train.txt').write_text(''.join(f'{index}.mp4 0\n' for index in range(clips)))
        path = tmp_path / 'config.py'
        path.write_text(
            f'model = dict(type="Recognizer2D")\nbudget = {budget}\ntrain_cfg = {loop}\n'
            'default_hooks = dict(checkpoint=dict(interval=1))\n'
            f'dataset = dict(type="VideoDataset", ann_file="train.txt", data_root={str(tmp_path)!r})\n'
            'train_dataloader = dict(batch_size=8, dataset=dataset)\n'
        )
        return str(path)

    return config


@pytest.mark.parametrize(('clips', 'epochs'), [(100, 31), (8, 400), (10000, 12)])
def test_few_clips_get_many_epochs_and_many_clips_get_few(write, clips, epochs):
    config = read_config(write(clips))
    assert config.train_cfg.max_epochs == epochs
    assert config.train_cfg.val_interval == max(1, epochs // 5)
    assert config.default_hooks.checkpoint.interval == max(1, epochs // 20)


def test_what_is_given_counts(write):
    path = write(100, loop='dict(type="EpochBasedTrainLoop", val_interval=7)')
    assert read_config(path).train_cfg.val_interval == 7
    assert read_config(path, {'train_cfg.max_epochs': 2}).train_cfg.max_epochs == 2
    assert 'max_epochs' not in read_config(path, with_budget=False).train_cfg
    assert read_config(path, {'budget.min_epochs': 50}).train_cfg.max_epochs == 50


def test_wrapped_and_unlabelled_lists_are_counted(write, tmp_path):
    dataset = read_config(write(10)).train_dataloader.dataset
    (tmp_path / 'more.txt').write_text('a.mp4\nb.mp4\n\n')
    repeated = dict(type='RepeatDataset', times=3, dataset={**dataset, 'unlabelled': 'more.txt'})
    assert count_clips(dict(type='ConcatDataset', datasets=[repeated, dataset])) == 3 * 12 + 10
    assert count_clips(dict(ann_file='none.txt')) == 0


@pytest.mark.parametrize(
    ('budget', 'error', 'message'),
    [
        ('dict(steps=1)', KeyError, "budget: got the unknown key 'steps'"),
        ('dict(min_epochs=0)', ValueError, 'budget.min_epochs: got 0; expected a whole number of at least 1'),
    ],
)
def test_mistakes_are_named(write, budget, error, message):
    with pytest.raises(error, match=message):
        read_config(write(10, budget=budget))


def test_configs_without_a_budget_stay_as_they_are():
    config = Config(dict(train_cfg=dict(type='EpochBasedTrainLoop')))
    set_epochs_from_budget(config)
    assert config.train_cfg == dict(type='EpochBasedTrainLoop')
