import pytest

from mmkd_video.compat import empty_annotations

DATASET = """
{prepare}
import tempfile
from mmengine.dataset import BaseDataset

class Listed(BaseDataset):
    def load_data_list(self):
        return [dict(line=line) for line in open(self.ann_file)]

with tempfile.NamedTemporaryFile('w', suffix='.txt') as file:
    file.write({text!r})
    file.flush()
    print(len(Listed(ann_file=file.name)))
"""


def test_an_empty_file_is_named_only_with_the_patch(breaks_without, run_python):
    breaks_without(DATASET.format(prepare='', text=''), 'need at least one array to concatenate')
    failed = run_python(DATASET.format(prepare='import mmkd_video', text=''))
    assert failed.returncode and 'Listed: no samples in annotation file' in failed.stderr and '.txt' in failed.stderr


def test_other_files_are_packed_as_ever(healthy_with):
    assert healthy_with(DATASET.format(prepare='', text='a 1\nb 2\n')).split()[-1] == '2'


def test_it_bites_where_numpy_refuses_an_empty_list(monkeypatch):
    assert empty_annotations.applies()
    monkeypatch.setattr('numpy.concatenate', lambda arrays: arrays)
    assert not empty_annotations.applies()


@pytest.mark.parametrize('data_list', [[], None])
def test_the_patch_looks_before_it_packs(data_list):
    owner = type('Listed', (), dict(data_list=data_list, ann_file='train.txt'))()
    with pytest.raises(ValueError, match="Listed: no samples in annotation file 'train.txt'"):
        empty_annotations._named(lambda self: 1 / 0)(owner)
