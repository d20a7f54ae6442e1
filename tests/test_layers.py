"""Who may import whom: the house stays as it is drawn."""

import ast
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = 'mmkd_video'
ROOT = Path(__file__).parents[1]
# compat imports nothing of ours, so safe_load is a leaf that everybody may read checkpoints with.
GROUND = {'core', 'functional', 'recognizers', 'compat'}
ALLOWED = {
    'compat': set(),
    'functional': set(),
    'core': {'compat'},
    'recognizers': {'core', 'compat'},
    'losses': GROUND,
    'connectors': GROUND,
    'adaptation': GROUND | {'losses'},
    'self_supervised': GROUND | {'losses'},
    'taps': GROUND,
    'views': GROUND,
    'schedules': GROUND,
    'weightings': GROUND,
    'masking': GROUND,
    'models': GROUND,
    'optimizers': GROUND,
    'meta': GROUND | {'datasets', 'losses', 'taps', 'teachers', 'weightings'},
    'datasets': GROUND | {'views'},
    'evaluation': GROUND | {'datasets'},
    'teachers': GROUND | {'taps', 'views', 'pruning'},
    'terms': GROUND | {'losses', 'connectors', 'taps', 'schedules', 'weightings'},
    'distillers': GROUND
    | {
        'teachers',
        'terms',
        'taps',
        'losses',
        'connectors',
        'views',
        'schedules',
        'weightings',
        'masking',
        'robustness',
    },
    'robustness': GROUND,
    'pruning': GROUND,
    'quantization': GROUND | {'pruning'},
    'export': GROUND | {'quantization', 'pruning'},
    'benchmark': GROUND | {'export', 'quantization', 'pruning'},
    'serving': GROUND | {'export', 'quantization', 'pruning'},
    'hooks': GROUND | {'pruning', 'quantization', 'export', 'benchmark', 'schedules', 'datasets', 'evaluation', 'taps'},
}
ROOMS = set(ALLOWED)
ALLOWED['workflows'] = ROOMS
ALLOWED['cli'] = ROOMS | {'workflows'}
ALLOWED['__main__'] = {'cli'}
ALLOWED['__init__'] = ROOMS
EVERYTHING = set(ALLOWED)
FORBIDDEN_NAMES = {'utils', 'common', 'helpers', 'misc'}
NO_ROOMS = {'__pycache__', '.mim'}  # .mim: links to configs and tools, which an installation from a clone makes
MAX_LINES = 400


def room_of(path: Path) -> str:
    """Return the folder below the package that a file lies in, or the file's own name at the top."""
    return path.relative_to(ROOT / PACKAGE).parts[0].removesuffix('.py')


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def resolve(module: str, is_package: bool, level: int, name: str) -> str:
    """Return the absolute name of ``from <level dots><name> import ...`` in a module."""
    if level == 0:
        return name
    parts = module.split('.')
    base = parts[: len(parts) - level + is_package]
    return '.'.join([*base, name] if name else base)


def dynamic_import(node: ast.AST, package: str) -> str | None:
    """Return the name in ``import_module('...')`` or ``__import__('...')``, made absolute; None for anything else."""
    if not isinstance(node, ast.Call) or not node.args:
        return None
    function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, 'id', '')
    name = getattr(node.args[0], 'value', None)
    if function not in ('import_module', '__import__', 'find_spec') or not isinstance(name, str):
        return None
    dots = len(name) - len(name.lstrip('.'))
    return resolve(f'{package}.x', False, dots, name[dots:])


def imported_names(source: str, module: str, is_package: bool) -> list[tuple[int, str]]:
    """Return (line, absolute name) of everything that a module imports, at any depth and in any spelling."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = resolve(module, is_package, node.level, node.module or '')
            names += [(node.lineno, f'{base}.{alias.name}') for alias in node.names]
        else:
            package = module if is_package else module.rpartition('.')[0]
            name = dynamic_import(node, package)
            if name:
                names.append((node.lineno, name))
    return names


def violations(source: str, path: Path) -> list[str]:
    """Return the imports in a file that its room may not make."""
    room = room_of(path)
    found = []
    for line, name in imported_names(source, module_of(path), path.stem == '__init__'):
        parts = name.split('.')
        if parts[0] in ('tools', 'dev'):
            found.append(f'{path}:{line}: {room} imports {parts[0]}')
        if parts[0] != PACKAGE or len(parts) == 1:
            continue
        target = parts[1]
        if target in EVERYTHING | {'__main__'} and target != room and target not in ALLOWED[room]:
            found.append(f'{path}:{line}: {room} must not import {PACKAGE}.{target}')
    return found


def unknown_rooms(folder: Path) -> list[str]:
    """Return the names below the package that the house has no place for."""
    entries = [entry for entry in folder.iterdir() if entry.is_dir() or entry.suffix == '.py']
    return sorted(e.name for e in entries if e.stem not in ALLOWED and e.name not in NO_ROOMS)


def forbidden_names(paths: list[Path]) -> list[str]:
    return [str(path) for path in paths if {part.removesuffix('.py') for part in path.parts} & FORBIDDEN_NAMES]


FILES = sorted((ROOT / PACKAGE).rglob('*.py'))
ALL_FILES = FILES + sorted(path for folder in ('tests', 'tools', 'dev') for path in (ROOT / folder).rglob('*.py'))


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_house(path):
    assert violations(path.read_text(), path) == []


def test_every_folder_has_its_place():
    assert unknown_rooms(ROOT / PACKAGE) == []


def test_no_file_is_a_drawer_for_everything():
    assert forbidden_names([path.relative_to(ROOT) for path in ALL_FILES]) == []


def test_no_file_is_too_long():
    too_long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in ALL_FILES}
    assert {path: lines for path, lines in too_long.items() if lines > MAX_LINES} == {}


def test_functional_is_torch_and_the_standard_library():
    foreign = []
    for path in (ROOT / PACKAGE / 'functional').rglob('*.py'):
        for line, name in imported_names(path.read_text(), module_of(path), path.stem == '__init__'):
            if name.split('.')[0] not in {*sys.stdlib_module_names, 'torch', PACKAGE}:
                foreign.append(f'{path}:{line}: {name}')
    assert foreign == []


# Workflows call each other downwards only: what trains knows nothing of what compares.
WORKFLOWS = {
    'cache': {'train'},
    'chain': {'compare', 'train'},
    'refresh': {'compare', 'deploy', 'train'},
    'deploy': set(),
    'new': set(),
    'probe': {'train'},
    'robustness': {'deploy', 'train'},
    'stream': set(),
    'shrink': set(),
    'stages': {'compare', 'train'},
    'train': {'deploy'},
    'measure': {'cache', 'deploy', 'shrink'},
    'compare': {'train'},
    'compress': {'compare', 'train', 'measure', 'deploy'},
    'report': {'compare', 'train', 'measure'},
}


def test_every_workflow_has_its_place():
    folders = {each.name for each in (ROOT / PACKAGE / 'workflows').iterdir() if each.is_dir()}
    assert folders - NO_ROOMS == set(WORKFLOWS)


def test_no_room_holds_more_than_a_sixth_of_the_package():
    sizes = Counter()
    for path in FILES:
        parts = path.relative_to(ROOT / PACKAGE).parts
        sizes['/'.join(parts[: 2 if parts[0] == 'workflows' else 1])] += len(path.read_text().splitlines())
    ((room, size),) = sizes.most_common(1)
    assert size * 6 <= sizes.total(), f'{room} has {size} of {sizes.total()} lines; give a part of it a room of its own'


def edges() -> set[tuple[str, str]]:
    """Return who imports whom: a room, or a workflow, and another."""
    found = set()
    for path in FILES:
        parts = path.relative_to(ROOT / PACKAGE).with_suffix('').parts
        here = parts[:2] if parts[0] == 'workflows' and len(parts) > 2 else parts[:1]
        for _, name in imported_names(path.read_text(), module_of(path), path.stem == '__init__'):
            target = tuple(name.split('.')[1:3]) if name.startswith(f'{PACKAGE}.') else ()
            there = target if target[:1] == ('workflows',) and target[1] in WORKFLOWS else target[:1]
            if there and there != here and there[0] in EVERYTHING:
                found.add(('/'.join(here), '/'.join(there)))
    return found


def test_workflows_call_each_other_downwards_only():
    calls = {(a.partition('/')[2], b.partition('/')[2]) for a, b in edges() if {a[:10], b[:10]} == {'workflows/'}}
    assert {name for pair in calls for name in pair} <= set(WORKFLOWS)
    assert {(a, b) for a, b in calls if b not in WORKFLOWS[a]} == set()


def test_the_picture_of_the_house_is_the_house():
    picture = re.search(r'```mermaid\n(.*?)```', (ROOT / 'CONTRIBUTING.md').read_text(), flags=re.DOTALL)[1]
    drawn = set(re.findall(r'^ *(\w+) --> (\w+)$', picture, flags=re.MULTILINE))
    rooms = {(a.split('/')[0], b.split('/')[0]) for a, b in edges()}
    seen = {(a, b) for a, b in rooms if a != b and b not in GROUND and not a.startswith('__')}
    assert drawn == seen
    assert {room for room in re.findall(r'[a-z_]+', picture)} >= set(ROOMS)


LOSS = ROOT / PACKAGE / 'losses' / 'some_loss.py'


@pytest.mark.parametrize(
    'source',
    [
        'import mmkd_video.terms',
        'import mmkd_video.terms.term as t',
        'from mmkd_video.terms import Term',
        'from mmkd_video import terms',
        'from .. import terms',
        'from ..terms import Term',
        'from ..terms.term import Term',
        'def late():\n    from mmkd_video.terms import Term',
        "import importlib\nimportlib.import_module('mmkd_video.terms')",
        "import importlib\nimportlib.import_module('..terms', __package__)",
        "__import__('mmkd_video.terms')",
        'import mmkd_video.__main__',
        'import tools.train',
    ],
)
def test_each_spelling_of_a_wrong_import_is_seen(source):
    assert len(violations(source, LOSS)) == 1


@pytest.mark.parametrize(
    'source',
    [
        'import torch',
        'from .base import BaseLoss',
        'from mmkd_video.losses.base import BaseLoss',
        'from ..core.registry import MODELS',
        'from mmkd_video.functional import kl_divergence',
        "import importlib\nimportlib.import_module('.base', __package__)",
        'from mmkd_video import __version__',
    ],
)
def test_right_imports_pass(source):
    assert violations(source, LOSS) == []


def test_an_unknown_folder_is_seen(tmp_path):
    for name in ('losses', 'attic', '__pycache__'):
        (tmp_path / name).mkdir()
    (tmp_path / 'drawer.py').touch()
    (tmp_path / '__main__.py').touch()
    assert unknown_rooms(tmp_path) == ['attic', 'drawer.py']


@pytest.mark.parametrize('path', ['mmkd_video/losses/utils.py', 'mmkd_video/common/x.py', 'tests/misc.py'])
def test_a_forbidden_name_is_seen(path):
    assert forbidden_names([Path(path)]) == [path]
