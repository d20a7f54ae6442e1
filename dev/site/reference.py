"""Which docstrings the reference shows: of each room of the package what it exports."""

import ast
from dataclasses import dataclass
from pathlib import Path

PACKAGE = 'mmkd_video'
MODULES = {'core': ['registry', 'checked', 'layouts'], 'recognizers': ['config']}
"""What is shown of rooms that export nothing in their ``__init__.py``."""
CALLED, CALLER = 'workflows', 'cli'
"""Of the first room, what the second one calls is shown."""
LEFT_OUT = (CALLER, 'compat')
"""Rooms that nobody calls from Python: commands have ``--help``, and patches work by themselves."""
Definition = ast.ClassDef | ast.FunctionDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True)
class Shown:
    """A class, a function or a constant of the reference.

    Attributes:
        module: The module that it is imported from.
        name: Its name there.
        node: Its definition.
        doc: Its docstring; of a constant, the string below it.
    """

    module: str
    name: str
    node: Definition
    doc: str


class Reference:
    """The docstrings of the package, which is read and not imported.

    Args:
        root: Root of the repository.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._trees: dict[str, ast.Module] = {}

    def rooms(self) -> list[str]:
        """Return the rooms that have a page."""
        found = sorted(path.parent.name for path in (self._root / PACKAGE).glob('*/__init__.py'))
        return [name for name in found if name not in LEFT_OUT]

    def about(self, room: str) -> str:
        """Return the docstring of a room.

        Args:
            room: Its name.
        """
        return ast.get_docstring(self._tree(f'{PACKAGE}.{room}')) or ''

    def of(self, room: str) -> list[Shown]:
        """Return what is shown of a room.

        Args:
            room: Its name.
        """
        if room == CALLED:
            return [self._find(module, name) for module, name in self._called()]
        if room in MODULES:
            modules = [f'{PACKAGE}.{room}.{name}' for name in MODULES[room]]
            return [self._find(module, name) for module in modules for name in self._defined(module)]
        module = f'{PACKAGE}.{room}'
        found = [self._find(module, name) for name in self._exported(module)]
        return [Shown(module, each.name, each.node, each.doc) for each in found]

    def index(self) -> str:
        """Return the page that lists the rooms."""
        said = {room: self.about(room).partition('\n')[0].replace('``', '`') for room in self.rooms()}
        head = 'The package, by room. Keys of configs are in [What a config says](../config.md).'
        return '\n'.join(
            ['# Reference', '', head, '', *(f'- [{room}]({room}.rst): {line}' for room, line in said.items()), '']
        )

    def _tree(self, module: str) -> ast.Module:
        if module not in self._trees:
            path = self._root.joinpath(*module.split('.'))
            path = path / '__init__.py' if path.is_dir() else path.with_suffix('.py')
            self._trees[module] = ast.parse(path.read_text(encoding='utf-8'))
        return self._trees[module]

    def _exported(self, module: str) -> list[str]:
        for node in self._tree(module).body:
            if isinstance(node, ast.Assign) and _named(node) == '__all__':
                return ast.literal_eval(node.value)
        return []

    def _defined(self, module: str) -> list[str]:
        names = [node.name for node in self._tree(module).body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
        return [name for name in names if not name.startswith('_')]

    def _called(self) -> list[tuple[str, str]]:
        found = set()
        for path in (self._root / PACKAGE / CALLER).rglob('*.py'):
            for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
                if isinstance(node, ast.ImportFrom) and (node.module or '').startswith(f'{PACKAGE}.{CALLED}.'):
                    for name in (alias.name for alias in node.names if not alias.name.isupper()):
                        whole = f'{node.module}.{name}'
                        is_module = self._root.joinpath(*whole.split('.')).with_suffix('.py').is_file()
                        found |= (
                            {(whole, each) for each in self._defined(whole)} if is_module else {(node.module, name)}
                        )
        return sorted(found)

    def _find(self, module: str, name: str) -> Shown:
        """Return a name where it is defined, following imports from module to module."""
        body = self._tree(module).body
        for position, node in enumerate(body):
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
                return Shown(module, name, node, ast.get_docstring(node) or '')
            if isinstance(node, ast.Assign | ast.AnnAssign) and _named(node) == name:
                return Shown(module, name, node, _string(body[position + 1 : position + 2]))
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return self._find(node.module, alias.name)
        raise LookupError(f'{module} does not define {name}')


def _named(node: ast.Assign | ast.AnnAssign) -> str:
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    return target.id if isinstance(target, ast.Name) else ''


def _string(following: list[ast.stmt]) -> str:
    for node in following:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return node.value.value
    return ''
