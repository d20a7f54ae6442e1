import sys

import pytest

from mmkd_video.core.status_line import StatusLine


@pytest.fixture
def terminal(monkeypatch):
    """Return a function that makes the standard error a terminal of 20 columns; capsys replaces it for each test."""
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.setenv('COLUMNS', '20')
    return lambda: monkeypatch.setattr(sys.stderr, 'isatty', lambda: True, raising=False)


def test_a_text_stands_alone_on_its_line_and_goes_at_the_end(terminal, capsys):
    terminal()
    with StatusLine() as status:
        status.show('[bold]jump 90%')
    assert capsys.readouterr().err == '\r\x1b[2K[bold]jump 90%\r\x1b[2K'


def test_what_is_too_long_is_cut(terminal, capsys):
    terminal()
    StatusLine().show('x' * 50)
    assert capsys.readouterr().err == '\r\x1b[2K' + 'x' * 18 + '…'


def test_the_text_before_stands_for_a_while(terminal, capsys):
    terminal()
    status = StatusLine()
    status.show('first')
    status.show('second')
    assert capsys.readouterr().err == '\r\x1b[2Kfirst' * 2


@pytest.mark.parametrize('term', ['dumb', None])
def test_nothing_is_written_where_no_line_can_change(capsys, monkeypatch, term):
    if term is not None:
        monkeypatch.setattr(sys.stderr, 'isatty', lambda: True, raising=False)
        monkeypatch.setenv('TERM', term)
    with StatusLine() as status:
        status.show('jump')
    assert capsys.readouterr().err == ''
