import numpy as np
import pytest

from mmkd_video.core.files.arrays import read_arrays


def test_arrays_come_back(tmp_path):
    np.savez(tmp_path / 'a.npz', x=np.arange(3), names=np.array(['a', 'b']))
    found = read_arrays(tmp_path / 'a.npz')
    assert found['x'].tolist() == [0, 1, 2] and found['names'].tolist() == ['a', 'b']


def test_arrays_that_are_larger_than_the_file_are_refused(tmp_path):
    np.savez_compressed(tmp_path / 'a.npz', x=np.zeros(10**7))
    with pytest.raises(ValueError, match='its arrays have 80000'):
        read_arrays(tmp_path / 'a.npz')
