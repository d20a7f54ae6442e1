import errno
import itertools
import os
import signal

import pytest

from mmkd_video.core.files import staged as module
from mmkd_video.core.files.staged import atomic_files, commit_staged, expect_new_files, staged_files


def write(path, text, force=False):
    with atomic_files(path, ['.xml', '.bin'], force) as temporary:
        temporary.write_text(text)
        temporary.with_suffix('.bin').write_text(text)


def test_files_take_their_places_together(tmp_path):
    write(tmp_path / 'new' / 'a.xml', 'x')
    assert sorted(path.name for path in (tmp_path / 'new').iterdir()) == ['a.bin', 'a.xml']


@pytest.mark.parametrize('present', ['a.xml', 'a.bin'])
def test_existing_files_stay_unless_forced(tmp_path, present):
    (tmp_path / present).write_text('old')
    with pytest.raises(FileExistsError, match=f'{present} exists.*--force'):
        write(tmp_path / 'a.xml', 'new')
    assert (tmp_path / present).read_text() == 'old'
    write(tmp_path / 'a.xml', 'new', force=True)
    assert (tmp_path / present).read_text() == 'new'


def test_a_failure_leaves_nothing_behind(tmp_path):
    (tmp_path / 'a.xml').write_text('old')
    with pytest.raises(RuntimeError), atomic_files(tmp_path / 'a.xml', ['.xml', '.bin'], force=True) as temporary:
        temporary.write_text('half')
        raise RuntimeError
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [('a.xml', 'old')]


def test_where_there_are_no_locks_files_are_written_and_leftovers_are_named(tmp_path, monkeypatch):
    def none(descriptor, blocking):
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(module, 'lock_descriptor', none)
    write(tmp_path / 'a.xml', 'x')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a.bin', 'a.xml']
    left = tmp_path / '.b.xml.part'
    left.mkdir()
    with pytest.raises(FileExistsError, match=rf'writing .*b\.xml; .* if there is none, remove {left}'):
        write(tmp_path / 'b.xml', 'x')
    assert left.is_dir()


def test_wrong_suffix_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"a\.onnx'; expected one that ends in \.xml"):
        write(tmp_path / 'a.onnx', 'x')


@pytest.mark.parametrize(
    ('old', 'passed', 'left'),
    [
        (False, True, {'a.xml': 'new', 'a.bin': 'new'}),
        (False, False, {'a.xml': 'new', 'a.bin': 'new'}),
        (True, True, {'a.xml': 'new', 'a.bin': 'new'}),
        (True, False, {'a.xml': 'old', 'a.bin': 'old', 'a.failed.xml': 'new', 'a.failed.bin': 'new'}),
    ],
)
def test_files_that_fail_replace_no_others(tmp_path, old, passed, left):
    path, suffixes = tmp_path / 'a.xml', ['.xml', '.bin']
    if old:
        write(path, 'old')
    with staged_files(path, suffixes) as written:
        write(written, 'new')
        assert commit_staged(written, path, suffixes, passed) == (
            tmp_path / 'a.failed.xml' if old and not passed else path
        )
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == left


@pytest.mark.parametrize('left', [{}, {'a.xml': 'old', 'a.bin': 'old'}])
def test_a_check_that_breaks_off_leaves_what_was_there(tmp_path, left):
    if left:
        write(tmp_path / 'a.xml', 'old')
    with pytest.raises(RuntimeError), staged_files(tmp_path / 'a.xml', ['.xml', '.bin']) as written:
        write(written, 'new')
        raise RuntimeError
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == left


SUFFIXES = ['.xml', '.bin']


def killed(path, way, moment):
    """Write files in a process that is killed before a step of their placing; return whether it came to that."""
    process = os.fork()
    if not process:
        try:
            steps = itertools.count()
            for holder, name in ((os, 'replace'), (type(path), 'unlink'), (module, '_sync')):
                setattr(holder, name, dying(getattr(holder, name), steps, moment))
            if way == 'placed':
                write(path, 'new', force=True)
            else:
                with staged_files(path, SUFFIXES) as written:
                    write(written, 'new')
                    commit_staged(written, path, SUFFIXES, passed=True)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(process, 0)[1])


def dying(call, steps, moment):
    def counted(*arguments, **keywords):
        if next(steps) == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **keywords)

    return counted


@pytest.mark.parametrize('folders_open', [True, False])
def test_a_system_that_opens_no_folders_locks_a_file_in_it(tmp_path, monkeypatch, folders_open):
    monkeypatch.setattr(module, 'FOLDERS_OPEN', folders_open)
    opened, real = [], os.open
    monkeypatch.setattr(module.os, 'open', lambda path, *a, **b: (opened.append(path), real(path, *a, **b))[1])
    with staged_files(tmp_path / 'a.xml', SUFFIXES) as written:
        with pytest.raises(FileExistsError, match='another process is writing'), staged_files(tmp_path / 'a.xml', []):
            pass
        written.write_text('new')
        written.with_suffix('.bin').write_text('new')
        commit_staged(written, tmp_path / 'a.xml', SUFFIXES, passed=True)
    assert sorted(each.name for each in tmp_path.iterdir()) == ['a.bin', 'a.xml']
    assert (tmp_path / '.a.xml.part' / 'lock' in opened) != folders_open


@pytest.mark.parametrize('old', [False, True])
@pytest.mark.parametrize('way', ['placed', 'trial'])
def test_wherever_it_is_killed_files_never_mix_and_a_repeat_succeeds(tmp_path, way, old):
    moments = 0
    while True:
        path = tmp_path / str(moments) / 'a.xml'
        path.parent.mkdir()
        if old:
            write(path, 'old')
        if not killed(path, way, moments):
            break
        pair = [each.read_text() for each in (path, path.with_suffix('.bin')) if each.exists()]
        assert not path.exists() or pair in (['old', 'old'], ['new', 'new']), f'killed before step {moments}'
        write(path, 'repeat', force=path.exists())
        assert {each.name: each.read_text() for each in path.parent.iterdir()} == {'a.xml': 'repeat', 'a.bin': 'repeat'}
        moments += 1
    assert moments > 5


def test_a_name_that_another_process_is_writing_is_refused_and_left_alone(tmp_path):
    path, (begun, tell), (wait, end) = tmp_path / 'a.xml', os.pipe(), os.pipe()
    process = os.fork()
    if not process:
        with staged_files(path, SUFFIXES) as written:
            written.write_text('x')
            os.write(tell, b'.')
            os.read(wait, 1)
        os._exit(0)
    os.read(begun, 1)
    expect_new_files(path, SUFFIXES)
    with pytest.raises(FileExistsError, match=r'another process is writing .*a\.xml'):
        write(path, 'mine')
    assert [each.name for each in tmp_path.glob('.*/*')] == ['a.xml']
    os.write(end, b'.')
    os.waitpid(process, 0)
    write(path, 'mine')


def test_files_are_on_the_disk_before_they_have_their_names(tmp_path, monkeypatch):
    events, replace = [], os.replace
    monkeypatch.setattr(module, '_sync', lambda path: events.append(path.name))
    monkeypatch.setattr(module.os, 'replace', lambda a, b: (events.append(f'{b.name} placed'), replace(a, b)))
    with staged_files(tmp_path / 'a.xml', SUFFIXES) as written:
        write(written, 'new')
        del events[:]
        commit_staged(written, tmp_path / 'a.xml', SUFFIXES, passed=True)
    placed = [event for event in events if event.endswith('placed')]
    assert placed == ['a.bin placed', 'a.xml placed']
    assert {'a.xml', 'a.bin'} <= set(events[: events.index('a.bin placed')])
    assert events[-1] == tmp_path.name
