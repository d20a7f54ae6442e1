"""A damaged exported file, as a user meets it: which file, what is wrong, one line, exit code 1."""

import pytest
from clips import encode
from damaged_file import flipped
from streams import export_tiny

from mmkd_video.cli.stream import main

pytest.importorskip('openvino')


@pytest.fixture
def video(tmp_path):
    encode(tmp_path / 'a.mp4', 1, frames=40)
    return tmp_path / 'a.mp4'


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main([*map(str, arguments), '--threads', '1'])
    said = capsys.readouterr().err
    assert stopped.value.code == 1 and len(said.splitlines()) == 1
    return said


DAMAGES = {
    'cut in half': lambda content: content[: len(content) // 2],
    'cut by a byte': lambda content: content[:-1],
    'empty': lambda content: b'',
    'a flipped bit': flipped,
}


@pytest.mark.parametrize('part', ['.bin', '.xml'])
@pytest.mark.parametrize('damage', DAMAGES)
def test_a_damaged_file_is_named_in_one_line(video, tmp_path, capsys, part, damage):
    path = export_tiny(tmp_path, suffix='.xml')
    damaged = path.with_suffix(part)
    content = DAMAGES[damage](damaged.read_bytes())
    damaged.write_bytes(content)
    said = refused(capsys, video, '--model', path, '--out', tmp_path / 'lines.jsonl')
    assert said.startswith(f'error: {path}') and said.endswith('again\n')
    assert f'{damaged.name} ({len(content)} bytes)' in said
    assert part == '.xml' or 'the digest in it does not match' in said
    assert not (tmp_path / 'lines.jsonl').exists()


def test_weights_that_are_not_there_are_named_in_one_line(video, tmp_path, capsys):
    path = export_tiny(tmp_path, suffix='.xml')
    path.with_suffix('.bin').unlink()
    said = refused(capsys, video, '--model', path)
    assert said == f'error: openvino: {path} needs the weights {path.with_suffix(".bin")} beside it\n'
