from collections import OrderedDict

import pytest
import torch

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


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match='nowhere.pth'):
        safe_load.load('nowhere.pth')


def test_a_truncated_file_is_not_called_unsafe(tmp_path):
    (tmp_path / 'cut.pth').write_bytes(b'\x80\x02}')
    with pytest.raises(safe_load.UnreadableCheckpointError, match=r'cut\.pth cannot be read \(') as caught:
        safe_load.load(tmp_path / 'cut.pth')
    assert not isinstance(caught.value, safe_load.UnsafeCheckpointError)
