"""The page on learning without labels is held to the code."""

import inspect
import re
from pathlib import Path

import pytest

from mmkd_video import self_supervised

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / 'docs' / 'self_supervised.md').read_text()
TABLES = dict(re.findall(r'^\| key of `(\w+)` \|.*\n\|[-|]+\|\n((?:\|.*\n)+)', PAGE, flags=re.MULTILINE))


@pytest.mark.parametrize('name', self_supervised.__all__)
def test_a_table_names_the_keys_and_the_defaults_of_the_code(name):
    taken = inspect.signature(getattr(self_supervised, name)).parameters
    rows = [[cell.strip() for cell in line.strip('|').split('|')[:2]] for line in TABLES[name].splitlines()]
    assert [key.strip('`') for key, _ in rows] == [key for key in taken if key != 'settings']
    for key, default in rows:
        own = taken[key.strip('`')].default
        assert own is inspect.Parameter.empty if default in ('required', '`K`') else default == f'`{own!r}`', key


def test_configs_and_pages_that_are_named_exist():
    links = re.findall(r'\]\((?!https)([^)#]+)', PAGE)
    assert len(links) > 4 and all((ROOT / 'docs' / link).is_file() for link in links)
    for command in re.findall(r'configs/[\w/]+\.py', PAGE):
        assert (ROOT / command).is_file(), command
