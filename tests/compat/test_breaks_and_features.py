"""What compat patches, what it adds, and that none of its modules imports in a circle."""

import ast
from pathlib import Path

from mmkd_video import compat

FOLDER = Path(compat.__file__).parent
PACKAGE = FOLDER.parent


def imports(path):
    """Return the modules of compat that a file imports, at any depth."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or '').startswith('mmkd_video.compat'):
            inner = node.module.removeprefix('mmkd_video.compat').strip('.')
            found |= {inner} if inner else {alias.name for alias in node.names}
    return found


def test_breaks_and_features_are_two_lists_of_modules_that_can_be_asked():
    assert not set(compat.BREAKS) & set(compat.FEATURES)
    for module in (*compat.BREAKS, *compat.FEATURES):
        assert callable(module.applies) and callable(module.apply)
        assert module.__doc__.startswith('A feature: ') is (module in compat.FEATURES)


def test_whatever_can_be_applied_is_in_one_of_the_lists():
    applied = {path.stem for path in FOLDER.glob('[!_]*.py') if '\ndef apply(' in path.read_text()}
    assert applied == {module.__name__.rpartition('.')[2] for module in (*compat.BREAKS, *compat.FEATURES)}


def test_features_elsewhere_are_those_that_the_docstring_names():
    users = {
        path.relative_to(PACKAGE.parent).with_suffix('').as_posix().replace('/', '.')
        for path in PACKAGE.rglob('*.py')
        if FOLDER not in path.parents and 'patching' in imports(path)
    }
    places = ('pruning.loading', 'datasets.decoders.choice', 'recognizers.recomputing')
    assert users == {f'mmkd_video.{each}' for each in places}
    assert all(user in compat.__doc__ for user in users)


def test_no_module_of_compat_imports_itself_through_others():
    direct = {path.stem: imports(path) for path in FOLDER.glob('*.py') if path.stem != '__init__'}
    for start in direct:
        seen, todo = set(), set(direct[start])
        while todo:
            name = todo.pop()
            seen.add(name)
            todo |= direct.get(name, set()) - seen
        assert start not in seen, f'compat.{start} imports itself'
