"""Argument lines are noun phrases: a reader meets them without the line above."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for folder in ('mmkd_video', 'dev', 'tools') for path in (ROOT / folder).rglob('*.py'))
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
ARGUMENT_SECTION = re.compile(r'^(?:Args|Attributes):\n(?P<lines>(?:(?: .*)?(?:\n|\Z))*)', flags=re.MULTILINE)
ARGUMENT = re.compile(r'^ {4}[\w*`][\w*`., ]*: (?P<meaning>\S.*)$', flags=re.MULTILINE)

QUESTIONS = 'How|What|Whatever|When|Where|Which|Whose|Why'
PREPOSITIONS = 'Above|After|As|At|Below|Between|By|For|From|In|Like|Of|On|Or|With'
PRONOUNS = 'It|Itself|That|There|They|This'
PREDICATES = (
    'Begins|Decides|Ends|Gives|Has|Holds|Is|Keeps|Makes|Measures|Multiplies|Must|Prints|Reads|Receives|Returns|Says|Ships|Shows|Stays|Takes|Tells|'
    'Built|Called|Found|Given|Looked|Made|Passed|Ready|Told|Unused|Used|Wanted|Not'
)
COMMANDS = (
    'Compare|Convolve|Correlate|Do|Evaluate|Fill|Keep|Leave|Put|Recompute|Relate|Repeat|Say|See|Take|Train|Use|Write'
)
HALF_SENTENCE = re.compile(rf'[a-z]|Positive[.;]|(?:{QUESTIONS}|{PREPOSITIONS}|{PRONOUNS}|{PREDICATES}|{COMMANDS})\b')


def argument_lines(source: str) -> list[tuple[str, str]]:
    """Return the first line of each argument in the docstrings of a source file, and the meaning that it gives."""
    texts = [ast.get_docstring(node) or '' for node in ast.walk(ast.parse(source)) if isinstance(node, DOCUMENTED)]
    sections = [section['lines'] for text in texts for section in ARGUMENT_SECTION.finditer(text)]
    return [(line[0].strip(), line['meaning']) for lines in sections for line in ARGUMENT.finditer(lines)]


def half_sentences(source: str) -> list[str]:
    return [line for line, meaning in argument_lines(source) if HALF_SENTENCE.match(meaning)]


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_argument_lines_are_noun_phrases(path):
    assert half_sentences(path.read_text()) == []


@pytest.mark.parametrize(
    'meaning',
    [
        'Of the stage.',
        'What was measured.',
        'How many to keep.',
        'As in the other.',
        'It.',
        'See the other.',
        'Looked at itself, not below; may be missing.',
        'Returns scale and shift.',
        'Take all of them.',
        'Positive; divides both.',
        'At least 1.',
        'index into the list.',
    ],
)
def test_a_half_sentence_is_seen(meaning):
    entries = f'    Args:\n        size: Size of it.\n        *name: {meaning}\n            And more.\n'
    errors = '    Raises:\n        ValueError: At least one.\n'
    source = f'def f():\n    """Do.\n\n{entries}\n{errors}    """\n'
    assert half_sentences(source) == [f'*name: {meaning}']


def test_a_noun_phrase_is_none():
    meanings = ['Whether to keep it.', '``(N, C)``.', 'Positive number.', 'The bytes to write.', "``'cpu'``."]
    lines = ''.join(f'\n        name: {meaning}' for meaning in meanings)
    source = f'def f():\n    """Do.\n\n    Args:{lines}\n    """\n'
    assert [meaning for _, meaning in argument_lines(source)] == meanings
    assert half_sentences(source) == []
