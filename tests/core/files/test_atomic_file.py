import errno

import pytest

from mmkd_video.core.files.atomic import write_atomically


def test_a_full_disk_is_told_with_the_file_and_leaves_the_old_one(tmp_path, file_size_limit):
    path = tmp_path / 'a.pth'
    write_atomically(b'old', path)
    with file_size_limit(10), pytest.raises(OSError, match=r'a\.pth cannot be written \(File too large\)') as caught:
        write_atomically(bytes(100), path)
    assert caught.value.errno == errno.EFBIG
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [('a.pth', b'old')]
