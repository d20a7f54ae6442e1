import pytest

from mmkd_video.export.placed_files import on_trial, placed_files, settle


def write(path, text, force=False):
    with placed_files(path, ['.xml', '.bin'], force) as temporary:
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
    with pytest.raises(RuntimeError), placed_files(tmp_path / 'a.xml', ['.xml', '.bin'], force=True) as temporary:
        temporary.write_text('half')
        raise RuntimeError
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [('a.xml', 'old')]


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
    with on_trial(path, suffixes) as written:
        write(written, 'new')
        assert settle(written, path, suffixes, passed) == (tmp_path / 'a.failed.xml' if old and not passed else path)
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == left


@pytest.mark.parametrize('left', [{}, {'a.xml': 'old', 'a.bin': 'old'}])
def test_a_check_that_breaks_off_leaves_what_was_there(tmp_path, left):
    if left:
        write(tmp_path / 'a.xml', 'old')
    with pytest.raises(RuntimeError), on_trial(tmp_path / 'a.xml', ['.xml', '.bin']) as written:
        write(written, 'new')
        raise RuntimeError
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == left
