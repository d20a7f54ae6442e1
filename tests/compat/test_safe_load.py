from collections import OrderedDict

import pytest
import torch
from damaged_file import damage_weights
from hostile import as_checkpoint, whole

from mmkd_video.compat import safe_load


class RunsCode:
    """Creates a file when it is unpickled: the harmless form of an attack."""

    def __init__(self, path, function):
        self.path, self.function = path, function

    def __reduce__(self):
        return self.function, (str(self.path),)


def by_exec(path):
    raise NotImplementedError


class ByGetattr:
    """Reaches through getattr for a method of an allowed class, as a file would that hopes for the real getattr."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return getattr, (OrderedDict, '__reduce__')


@pytest.mark.parametrize(
    ('make', 'refused'),
    [
        (lambda path: RunsCode(path, __import__('os').mkdir), 'posix.mkdir|nt.mkdir'),
        (lambda path: RunsCode(path, exec), 'exec'),
        (lambda path: RunsCode(path, by_exec), 'by_exec'),
        (lambda path: ByGetattr(path), 'getattr'),
    ],
    ids=['os.mkdir', 'exec', 'a function', 'getattr'],
)
def test_a_file_that_would_run_code_is_refused_and_named(tmp_path, make, refused):
    path, trace = tmp_path / 'bad.pth', tmp_path / 'trace'
    torch.save({'state_dict': {}, 'x': make(trace)}, path)
    with pytest.raises(safe_load.UnsafeCheckpointError, match=refused) as caught:
        safe_load.load(path)
    assert str(path) in str(caught.value)
    assert 'Nothing of the file was executed' in str(caught.value)
    assert not trace.exists()


def test_mmengines_loader_names_file_and_type_too(tmp_path, run_python):
    path = tmp_path / 'bad.pth'
    torch.save({'x': RunsCode(tmp_path / 'trace', by_exec)}, path)
    code = f"""
        import mmkd_video
        from mmengine.runner.checkpoint import _load_checkpoint
        _load_checkpoint({str(path)!r}, map_location='cpu')
        """
    done = run_python(code)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert 'UnsafeCheckpointError' in last and str(path) in last and 'by_exec' in last


def test_an_ordinary_checkpoint_is_read(tmp_path):
    saved = {'state_dict': OrderedDict(weight=torch.arange(3.0)), 'meta': {'epoch': 3, 'classes': ['a', 'b']}}
    torch.save(saved, tmp_path / 'good.pth')
    loaded = safe_load.load(tmp_path / 'good.pth')
    assert loaded['meta'] == saved['meta']
    assert torch.equal(loaded['state_dict']['weight'], saved['state_dict']['weight'])


def test_a_tensor_that_is_far_larger_than_the_file_is_refused(tmp_path):
    torch.save({'state_dict': {'weight': torch.zeros(1).expand(3 * 10**8)}}, tmp_path / 'large.pth')
    assert (tmp_path / 'large.pth').stat().st_size < 10_000
    with pytest.raises(safe_load.UnsafeCheckpointError, match='a tensor of 1200000000 bytes of which the file holds 4'):
        safe_load.load(tmp_path / 'large.pth')
    torch.save({'position': torch.arange(5).expand((3, -1))}, tmp_path / 'small.pth')
    assert safe_load.load(tmp_path / 'small.pth')['position'].shape == (3, 5)


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match='nowhere.pth'):
        safe_load.load('nowhere.pth')


def test_a_truncated_file_is_not_called_unsafe(tmp_path):
    (tmp_path / 'cut.pth').write_bytes(b'\x80\x02}')
    with pytest.raises(safe_load.UnreadableCheckpointError, match=r'cut\.pth cannot be read \(') as caught:
        safe_load.load(tmp_path / 'cut.pth')
    assert not isinstance(caught.value, safe_load.UnsafeCheckpointError)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / 'saved.pth'
    torch.save({'state_dict': {'weight': torch.arange(1.0, 1001.0)}}, path)
    return path


@pytest.mark.parametrize('kind', ['bit', 'block'])
def test_damaged_weights_are_refused_and_named(saved, kind):
    damage_weights(saved, kind)
    torch.load(saved, weights_only=True)  # torch itself sees nothing
    with pytest.raises(safe_load.UnreadableCheckpointError, match=r'saved\.pth cannot be read .*data/0.* not match'):
        safe_load.load(saved)


def test_a_damaged_directory_of_a_file_is_no_traceback(saved):
    saved.write_bytes(saved.read_bytes()[:-30])
    with pytest.raises(safe_load.UnreadableCheckpointError, match='damaged'):
        safe_load.load(saved)


def test_mmengines_loader_refuses_damaged_weights_too(saved):
    from mmengine.runner import CheckpointLoader

    damage_weights(saved)
    with pytest.raises(safe_load.UnreadableCheckpointError, match='not match'):
        CheckpointLoader.load_checkpoint(str(saved), map_location='cpu')


def test_bytes_from_elsewhere_are_compared_with_their_checksums_too(saved):
    content = bytearray(saved.read_bytes())
    assert safe_load.load_bytes(bytes(content), 's3://a.pth')
    damage_weights(saved, 'bit')
    with pytest.raises(safe_load.UnreadableCheckpointError, match='s3://a.pth cannot be read .damaged'):
        safe_load.load_bytes(saved.read_bytes(), 's3://a.pth')


def test_files_without_checksums_are_read(tmp_path):
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({'weight': torch.ones(3)}, tmp_path / 'unchecked.pth')
    finally:
        torch.serialization.set_crc32_options(before)
    torch.save({'weight': torch.ones(3)}, tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    for name in ('unchecked.pth', 'old.pth'):
        assert safe_load.load(tmp_path / name)['weight'].tolist() == [1, 1, 1]


def test_a_directory_that_names_places_before_the_file_is_no_traceback(tmp_path):
    content = bytearray(as_checkpoint(whole(b'N')))
    place = content.rindex(b'PK\x05\x06') + 16  # where the directory of parts is said to begin
    content[place : place + 4] = (int.from_bytes(content[place : place + 4], 'little') + 64).to_bytes(4, 'little')
    (tmp_path / 'moved.pth').write_bytes(content)
    with pytest.raises(safe_load.UnreadableCheckpointError, match=r'moved\.pth cannot be read .*damaged'):
        safe_load.load(tmp_path / 'moved.pth')
