import sys

import pytest

from mmkd_video.core.progress_bar import ProgressBar, at_each_tenth, at_every_fifth, never


@pytest.mark.parametrize(
    ('print_rule', 'said'), [(never, []), (at_every_fifth, [5, 10, 15, 20]), (at_each_tenth, list(range(2, 21, 2)))]
)
def test_without_a_terminal_there_is_a_line_now_and_then(capsys, print_rule, said):
    with ProgressBar('rendering', 'clips', print_rule) as progress:
        for done in range(1, 21):
            progress(done, 20)
    assert capsys.readouterr().err.splitlines() == [f'rendering {done}/20 clips' for done in said]


def test_a_terminal_shows_a_bar_that_goes(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True, raising=False)
    monkeypatch.setenv('TERM', 'xterm')
    with ProgressBar('round', print_rule=at_every_fifth) as progress:
        progress(5, 20, 'hop 2')
    said = capsys.readouterr().err
    assert 'hop 2: round' in said and '5/20' in said and 'round 5/20' not in said
    assert said.rstrip().endswith('\x1b[2K')  # the line was erased
