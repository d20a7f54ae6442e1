"""Who works in a folder keeps others out, also after its parent's death."""

import ast
import errno
import subprocess
from pathlib import Path

import mmkd_video
from mmkd_video.core.files.lock import locked, try_lock

PACKAGE = Path(mmkd_video.__file__).parent


def test_a_held_folder_is_not_held_twice(tmp_path):
    first = try_lock(tmp_path / 'new')
    assert first is not None and try_lock(tmp_path / 'new') is None
    assert try_lock(tmp_path / 'new', 'streaming') is not None  # another work
    first.close()
    again = try_lock(tmp_path / 'new')
    assert again is not None
    again.close()


def test_a_child_that_inherits_the_lock_keeps_it_beyond_its_parent(tmp_path):
    with locked(tmp_path) as lock:
        child = subprocess.Popen(['sleep', '60'], pass_fds=[lock])
    try:
        assert try_lock(tmp_path) is None
    finally:
        child.kill()
        child.wait()
    assert try_lock(tmp_path) is not None


POSIX_ONLY = {'fcntl', 'grp', 'posix', 'pty', 'pwd', 'resource', 'syslog', 'termios', 'tty'}


def test_importing_the_package_needs_nothing_that_only_posix_has():
    found = {}
    for path in PACKAGE.rglob('*.py'):
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ''] if isinstance(node, ast.ImportFrom) else []
            if POSIX_ONLY & set(names):
                found[path.relative_to(PACKAGE).as_posix()] = names
    assert found == {}


def test_where_there_are_no_locks_the_work_is_done(tmp_path, monkeypatch):
    def none(descriptor, blocking=True):
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr('mmkd_video.core.files.lock.lock_descriptor', none)
    with locked(tmp_path / 'a') as descriptor, try_lock(tmp_path / 'b') as file:
        assert descriptor and file
