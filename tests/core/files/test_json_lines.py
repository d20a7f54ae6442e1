import json

import pytest

from mmkd_video.core.files.json_lines import JsonLines, read_json_lines
from mmkd_video.core.plain_data import Anything, Table, Whole


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding='utf-8').splitlines()]


@pytest.mark.parametrize('whole', [False, True])
def test_a_full_disk_is_an_error_and_leaves_whole_lines_only(tmp_path, whole, file_size_limit):
    path, written = tmp_path / 'a.jsonl', 0
    with file_size_limit(50), pytest.raises(OSError), JsonLines(path, whole=whole) as lines:
        while True:
            lines.write({'name': 'vidéo', 'number': written})
            written += 1
    assert path.exists() is not whole
    assert lines_of(JsonLines.partial(path) if whole else path) == [
        {'name': 'vidéo', 'number': number} for number in range(written)
    ]
    assert written == 1


def test_a_device_that_is_full_is_an_error():
    with pytest.raises(OSError, match='No space left'), JsonLines('/dev/full') as lines:
        lines.write({'a': 1})


def test_lines_go_to_what_is_no_file_too():
    with JsonLines('/dev/null') as lines:
        lines.write({'a': 1})


def test_lines_are_read_one_by_one(tmp_path):
    path = tmp_path / 'a.jsonl'
    path.write_bytes(b'{"a": 1}\n\n{"b"\n\xff\n[2]')
    found, wrong = read_json_lines(path, Anything())
    assert found == [{'a': 1}, [2]] and [each.split(': ')[0] for each in wrong] == [f'{path}:3', f'{path}:4']


def test_each_line_keeps_the_rule(tmp_path):
    path = tmp_path / 'a.jsonl'
    path.write_text('{"a": 1}\n{"a": "text"}\n7\n')
    found, wrong = read_json_lines(path, Table(Whole(0, 9), most=5))
    assert found == [{'a': 1}] and len(wrong) == 2 and "a: got 'text', expected a whole number" in wrong[0]


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_json_lines(tmp_path / 'nowhere.jsonl', Anything())
