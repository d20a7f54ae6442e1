import errno
import os
import re
import signal
import stat
from pathlib import Path

import pytest

import mmkd_video
from mmkd_video.core.files import temporary
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.temporary import TemporaryFile, remove_temporary_files


def contents(folder):
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def test_a_full_disk_is_told_with_the_file_and_leaves_the_old_one(tmp_path, file_size_limit):
    path = tmp_path / 'a.pth'
    write_atomically(b'old', path)
    with file_size_limit(10), pytest.raises(OSError, match=r'a\.pth cannot be written \(File too large\)') as caught:
        write_atomically(bytes(100), path)
    assert caught.value.errno == errno.EFBIG
    assert contents(tmp_path) == {'a.pth': b'old'}


def test_a_file_may_be_read_by_whom_the_system_says(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomically(b'x', tmp_path / 'a')
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / 'a').stat().st_mode) == 0o640


def test_writers_of_one_process_number_do_not_share_a_name(tmp_path, monkeypatch):
    """In containers every process may be number 1; here one writes while the other one is about to place its file."""
    path, sync = tmp_path / 'a', os.fsync

    def meanwhile(descriptor):
        monkeypatch.setattr(os, 'fsync', sync)
        write_atomically(b'second', path)
        assert path.read_bytes() == b'second'
        sync(descriptor)

    monkeypatch.setattr(os, 'fsync', meanwhile)
    write_atomically(b'first', path)
    assert contents(tmp_path) == {'a': b'first'}


@pytest.fixture
def writing(tmp_path):
    """A process that is about to place the file ``a`` of the folder, and a function that kills it."""
    begun, tell = os.pipe()
    process = os.fork()
    if not process:
        file = TemporaryFile(tmp_path / 'a')
        file.write(b'half')
        os.write(tell, b'.')
        signal.pause()
    os.read(begun, 1)

    alive = [process]

    def kill():
        os.kill(process, signal.SIGKILL)
        os.waitpid(alive.pop(), 0)

    yield kill
    if alive:
        kill()


def test_the_next_writer_removes_what_a_killed_one_left_and_nothing_of_a_living_one(tmp_path, writing):
    write_atomically(b'mine', tmp_path / 'a')
    assert sorted(contents(tmp_path).values()) == [b'half', b'mine']
    writing()
    write_atomically(b'other', tmp_path / 'b')  # it has no business with a
    assert sorted(contents(tmp_path).values()) == [b'half', b'mine', b'other']
    write_atomically(b'mine again', tmp_path / 'a')
    assert contents(tmp_path) == {'a': b'mine again', 'b': b'other'}


def test_a_folder_is_cleaned_of_what_killed_writers_left(tmp_path, writing):
    (tmp_path / '.epoch_3.pth.123.mmkd-tmp').write_bytes(b'of an older version')
    assert [each.name for each in remove_temporary_files(tmp_path)] == ['.epoch_3.pth.123.mmkd-tmp']
    writing()
    assert len(remove_temporary_files(tmp_path)) == 1
    assert contents(tmp_path) == {}
    assert remove_temporary_files(tmp_path / 'missing') == []


def test_a_file_that_is_removed_before_it_is_held_is_made_anew(tmp_path, monkeypatch):
    real, seen = temporary.lock_descriptor, []

    def late(descriptor, blocking):
        if not seen:
            seen.append(next(tmp_path.iterdir()))
            seen[0].unlink()
        return real(descriptor, blocking=blocking)

    monkeypatch.setattr(temporary, 'lock_descriptor', late)
    write_atomically(b'x', tmp_path / 'a')
    assert contents(tmp_path) == {'a': b'x'}


def test_where_there_are_no_locks_files_are_written_and_none_is_removed(tmp_path, monkeypatch):
    def none(descriptor, blocking):
        raise OSError(errno.ENOSYS, 'Function not implemented')

    monkeypatch.setattr(temporary, 'lock_descriptor', none)
    (tmp_path / '.a.0.mmkd-tmp').write_bytes(b'of whoever')
    write_atomically(b'x', tmp_path / 'a')
    assert contents(tmp_path) == {'a': b'x', '.a.0.mmkd-tmp': b'of whoever'}


def test_nobody_else_puts_a_file_in_its_place():
    """Whoever does makes a temporary name too: these are made here alone, so that they neither recur nor stay."""
    package = Path(mmkd_video.__file__).parent
    placing = [each for each in package.rglob('*.py') if re.search(r'os\.(replace|rename)\(', each.read_text())]
    assert {each.parent.relative_to(package).as_posix() for each in placing} == {'core/files'}
