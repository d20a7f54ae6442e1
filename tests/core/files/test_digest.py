import hashlib
from pathlib import Path

from mmkd_video.core.files.digest import sha256_of, sha256_of_settings


def test_files_are_read_as_one(tmp_path):
    (tmp_path / 'a').write_bytes(b'first')
    (tmp_path / 'b').write_bytes(b'second')
    assert sha256_of(tmp_path / 'a') == hashlib.sha256(b'first').hexdigest()
    assert sha256_of(tmp_path / 'a', tmp_path / 'b') == hashlib.sha256(b'firstsecond').hexdigest()


def test_the_order_of_keys_does_not_count_and_values_do():
    assert sha256_of_settings(dict(a=[1], b=Path('x'))) == sha256_of_settings(dict(b='x', a=[1]))
    assert sha256_of_settings(dict(a=[1])) != sha256_of_settings(dict(a=[2]))
    assert sha256_of_settings({}) == hashlib.sha256(b'{}').hexdigest()  # files of earlier versions hold these
