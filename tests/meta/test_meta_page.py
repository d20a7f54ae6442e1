"""The tables of the page on meta-learning are held to the code."""

import inspect
import re
from pathlib import Path

import pytest

from mmkd_video import meta

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / 'docs' / 'meta_learning.md').read_text()
TABLES = dict(re.findall(r'^\| key of `(\w+)` \|.*\n\|[-|]+\|\n((?:\|.*\n)+)', PAGE, flags=re.MULTILINE))


@pytest.mark.parametrize('name', [name for name in TABLES if hasattr(meta, name)])
def test_a_table_names_the_keys_and_the_defaults_of_the_code(name):
    taken = inspect.signature(getattr(meta, name)).parameters
    rows = [[cell.strip() for cell in line.strip('|').split('|')[:2]] for line in TABLES[name].splitlines()]
    assert [key.strip('`') for key, _ in rows] == list(taken)
    for key, default in rows:
        own = taken[key.strip('`')].default
        assert own is inspect.Parameter.empty if default == 'required' else default in ('`steps`', f'`{own!r}`'), key


def test_every_hook_and_algorithm_has_a_table():
    kinds = [getattr(meta, name) for name in meta.__all__]
    named = {each.__name__ for each in kinds if isinstance(each, type) and each.__name__.endswith('Hook')}
    assert named <= set(TABLES) and {'MAML', 'Reptile', 'ProtoNet'} <= set(TABLES)


def test_configs_that_are_named_exist():
    links = re.findall(r'\]\(\.\./(configs/[^)]+)\)', PAGE)
    assert links and all((ROOT / link).is_file() for link in links)
