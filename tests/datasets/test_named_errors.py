import pickle

import clips
import pytest
from mmengine.dataset import Compose, ConcatDataset, RepeatDataset
from mmengine.registry import DATASETS

import mmkd_video  # noqa: F401
from mmkd_video.datasets import PipelineWithNamedErrors, name_unreadable_videos


@pytest.fixture
def dataset(tmp_path):
    root = clips.make_set(tmp_path / 'clips', count=3)
    (root / '1.mp4').write_bytes(b'no video')
    (root / '2.mp4').unlink()
    return DATASETS.build(
        dict(
            type='mmaction.VideoDataset',
            ann_file=str(root / 'list.txt'),
            data_prefix=dict(video=str(root)),
            pipeline=clips.pipeline(train=False),
            test_mode=True,
        )
    )


def test_unreadable_video_is_named_with_what_to_do(dataset):
    name_unreadable_videos(dataset)
    name_unreadable_videos(dataset)
    assert isinstance(dataset.pipeline.pipeline, Compose)  # named once
    assert 'inputs' in dataset[0]
    for index in (1, 2):
        message = rf'clips/{index}\.mp4 cannot be read \(\w+: .*annotation file; --resume'
        with pytest.raises(RuntimeError, match=message):
            dataset[index]


@pytest.mark.parametrize('wrap', [lambda each: ConcatDataset([each, each]), lambda each: RepeatDataset(each, 2)])
def test_wrapped_datasets_name_theirs(dataset, wrap):
    wrapped = wrap(dataset)
    name_unreadable_videos(wrapped)
    with pytest.raises(RuntimeError, match='1.mp4 cannot be read'):
        wrapped[4]


def test_mistake_in_the_pipeline_is_left_as_it_is():
    def fail(info):
        raise KeyError('imgs')

    with pytest.raises(KeyError, match='imgs'):
        PipelineWithNamedErrors(fail)(dict(filename='a.mp4'))


def test_attributes_are_those_of_the_pipeline_also_in_a_worker(dataset):
    pipeline = pickle.loads(pickle.dumps(PipelineWithNamedErrors(dataset.pipeline)))
    assert len(pipeline.transforms) == 6
