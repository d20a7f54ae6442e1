"""The record of settings beside the results of a folder, damaged: the file, what is wrong, and what to do."""

import re
from types import SimpleNamespace

import pytest

from mmkd_video.serving import StreamOptions
from mmkd_video.workflows.stream.folder import FolderOfVideos

GOOD = b'{"model": "m.xml", "hop": 5}\n'
DAMAGES = {
    'half': (GOOD[:15], 'not JSON'),
    'a flipped bit': (bytes([GOOD[0] ^ 4]) + GOOD[1:], 'not JSON'),
    'zeros': (bytes(len(GOOD)), 'not JSON'),
    'no text': (b'\xff\xfe\x00{', 'not JSON'),
    'empty': (b'', 'not JSON'),
    'a list': (b'[]', 'got list'),
    'null': (b'null', 'got None'),
    'too deep': (b'[' * 100_000, 'not JSON'),
    'deep within': (b'{"a": ' + b'[' * 30 + b']' * 30 + b'}', 'deep'),
    'too large': (b' ' * (1 << 25), 'at most'),
    'a name that is no text': (b'{"model": {"__class__": "os.system"}}', "model {'__class__'"),
}


@pytest.mark.parametrize('content, wrong', DAMAGES.values(), ids=DAMAGES)
def test_damaged_settings_are_named_and_no_result_is_touched(tmp_path, content, wrong):
    (tmp_path / 'a.mp4').touch()
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'settings.json').write_bytes(content)
    (out / 'a.mp4.jsonl').write_text('kept')
    folder = FolderOfVideos(tmp_path, SimpleNamespace(), StreamOptions(), out=out)
    folder.settings = lambda: {'model': 'm.xml', 'hop': 5}
    with pytest.raises(ValueError, match=re.escape(str(out))) as refused:
        folder.run()
    told = str(refused.value)
    assert wrong in told and 'give another --out, or --force to begin again' in told and len(told) < 500
    assert (out / 'a.mp4.jsonl').read_text() == 'kept'
    assert (out / 'settings.json').read_bytes() == content
