import pickle

import pytest
from mmengine.evaluator import DumpResults

from mmkd_video.core.registry import METRICS
from mmkd_video.workflows.train import testing  # noqa: F401  registers it


def dumping(path):
    return METRICS.build(dict(type='WholeDumpResults', out_file_path=str(path)))


def test_the_file_is_that_of_mmengine(tmp_path):
    results = [dict(pred_label=index, name=f'{index}.mp4') for index in range(3)]
    assert dumping(tmp_path / 'ours.pkl').compute_metrics(results) == {}
    DumpResults(str(tmp_path / 'theirs.pkl')).compute_metrics(results)
    assert (tmp_path / 'ours.pkl').read_bytes() == (tmp_path / 'theirs.pkl').read_bytes()


def test_a_full_disk_leaves_what_was_there(tmp_path, file_size_limit):
    path = tmp_path / 'a.pkl'
    dumping(path).compute_metrics([1])
    with file_size_limit(10), pytest.raises(OSError, match=r'a\.pkl cannot be written'):
        dumping(path).compute_metrics(['long'] * 100)
    assert pickle.loads(path.read_bytes()) == [1]
