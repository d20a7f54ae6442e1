import pytest
from mmengine.config import Config

from mmkd_video.recognizers.class_names import class_names
from mmkd_video.recognizers.pipelines import find_pipeline, innermost_dataset, validation_pipeline

PIPELINE = [dict(type='DecordInit')]
ONE = dict(type='VideoDataset', pipeline=PIPELINE)
WRAPPED = {
    'plain': ONE,
    'repeated': dict(type='RepeatDataset', times=2, dataset=ONE),
    'joined': dict(type='ConcatDataset', datasets=[ONE, dict(type='VideoDataset', pipeline=[])]),
    'both': dict(type='RepeatDataset', dataset=dict(type='ConcatDataset', datasets=[ONE])),
}


@pytest.mark.parametrize('dataset', WRAPPED.values(), ids=WRAPPED)
def test_training_and_validation_find_the_same_pipeline_in_any_wrapper(dataset):
    config = Config(dict(model={}, train_dataloader=dict(dataset=dataset), val_dataloader=dict(dataset=dataset)))
    assert find_pipeline(config, 'teacher') == PIPELINE
    assert validation_pipeline(config) == PIPELINE


def test_a_loader_without_a_data_set_has_no_pipeline():
    assert innermost_dataset(None) == innermost_dataset({}) == innermost_dataset(dict(dataset=None)) == {}
    assert validation_pipeline(None) is None
    assert validation_pipeline(Config(dict(model={}))) is None
    assert validation_pipeline(Config(dict(val_pipeline=[1], val_dataloader=None))) == [1]


def test_names_of_the_working_directory_are_not_the_data_sets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'classes.txt').write_text('a\nb\n')
    (tmp_path / 'clips').mkdir()
    elsewhere = Config(dict(test_dataloader=dict(dataset=dict(ann_file='clips/test.txt'))))
    assert class_names(elsewhere, 2) is None
    (tmp_path / 'test.txt').touch()
    listed_here = Config(dict(test_dataloader=dict(dataset=dict(ann_file='test.txt'))))
    assert class_names(listed_here, 2) == ('a', 'b')
    rooted = Config(dict(test_dataloader=dict(dataset=dict(data_root=str(tmp_path), ann_file='test.txt'))))
    assert class_names(rooted, 2) == ('a', 'b')


def test_a_wrapper_with_what_is_asked_for_is_the_data_set():
    inner = dict(type='VideoDataset', ann_file='inner.txt', pipeline=PIPELINE)
    wrapper = dict(type='Mine', ann_file='outer.txt', dataset=inner)
    assert innermost_dataset(dict(dataset=wrapper))['ann_file'] == 'outer.txt'
    assert innermost_dataset(dict(dataset=wrapper), 'pipeline') == inner
