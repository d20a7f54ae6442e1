"""Argument lines are noun phrases: a reader meets them without the line above."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for folder in ('mmkd_video', 'dev') for path in (ROOT / folder).rglob('*.py'))
HALF_SENTENCE = re.compile(r'^ +[a-z_*]+: (?:Of|By) .*$', flags=re.MULTILINE)


def half_sentences(text: str) -> list[str]:
    return [line.strip() for line in HALF_SENTENCE.findall(text)]


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_argument_lines_are_noun_phrases(path):
    assert half_sentences(path.read_text()) == []


def test_a_half_sentence_is_seen():
    text = '        name: Of the stage.\n        size: Size of it.\n'
    assert half_sentences(text) == ['name: Of the stage.']
