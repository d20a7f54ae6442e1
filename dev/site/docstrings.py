"""Docstrings as pages of reStructuredText, with Sphinx's directives of Python."""

import ast
import copy
import textwrap

from sphinx.ext.napoleon import Config, GoogleDocstring

from dev.site.reference import PACKAGE, Reference, Shown

_SHORT = (ast.Constant, ast.Name, ast.Attribute, ast.UnaryOp)
_NAPOLEON = Config(napoleon_use_ivar=True, napoleon_use_rtype=False)


def room_page(reference: Reference, room: str) -> str:
    """Return the page of a room.

    Args:
        reference: The docstrings.
        room: The room's name.
    """
    parts = [f'{room}\n{"=" * len(room)}', reference.about(room)]
    module = ''
    for shown in reference.of(room):
        if shown.module != module:
            module = shown.module
            if module != f'{PACKAGE}.{room}':
                parts.append(f'{module}\n{"-" * len(module)}')
            parts.append(f'.. py:currentmodule:: {module}')
        parts.append(_entry(shown))
    return '\n\n'.join(parts) + '\n'


def _entry(shown: Shown) -> str:
    node = shown.node
    if isinstance(node, ast.FunctionDef):
        return _directive('function', shown.name + _signature(node), shown.doc)
    if isinstance(node, ast.ClassDef):
        return _class(shown, node)
    brief = _brief(node.value)
    return _directive('data', shown.name, shown.doc or ('' if brief == '...' else f'``{brief}``'))


def _class(shown: Shown, node: ast.ClassDef) -> str:
    methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
    own = next((_signature(each, bound=True) for each in methods if each.name == '__init__'), '()')
    if any(_decorator(each) == 'dataclass' for each in node.decorator_list):
        fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
        own = f'({", ".join(_field(each) for each in fields)})'
    inner = [_method(each) for each in methods if not each.name.startswith('_') and ast.get_docstring(each)]
    return '\n\n'.join([_directive('class', shown.name + own, shown.doc), *(_indented(each) for each in inner)])


def _method(node: ast.FunctionDef) -> str:
    marks = {_decorator(each) for each in node.decorator_list}
    doc = ast.get_docstring(node) or ''
    if marks & {'property', 'cached_property'}:
        kind = f'\n   :type: {_annotation(node.returns)}' if node.returns else ''
        return _directive('property', node.name + kind, doc)
    kinds = [name for name in ('classmethod', 'staticmethod', 'abstractmethod') if name in marks]
    signature = _signature(node, bound='staticmethod' not in marks)
    return _directive('method', node.name + signature + ''.join(f'\n   :{kind}:' for kind in kinds), doc)


def _signature(node: ast.FunctionDef, bound: bool = False) -> str:
    args = copy.deepcopy(node.args)
    if bound:
        args.args = args.args[1:]
    args.defaults = [_shortened(each) for each in args.defaults]
    args.kw_defaults = [each and _shortened(each) for each in args.kw_defaults]
    returned = f' -> {_annotation(node.returns)}' if node.returns and node.name != '__init__' else ''
    return f'({ast.unparse(args)}){returned}'


def _field(node: ast.AnnAssign) -> str:
    return (
        ast.unparse(node.target)
        + f': {ast.unparse(node.annotation)}'
        + (f' = {_brief(node.value)}' if node.value else '')
    )


def _annotation(node: ast.expr) -> str:
    named = isinstance(node, ast.Constant) and isinstance(node.value, str)  # a class that is not defined yet
    return node.value if named else ast.unparse(node)


def _brief(node: ast.expr | None) -> str:
    return ast.unparse(_shortened(node)) if node is not None else ''


def _shortened(node: ast.expr) -> ast.expr:
    """Return a default value as it is, or ``...`` in the place of one that a reader would have to work out."""
    parts = node.elts if isinstance(node, ast.Tuple | ast.List) else [node]
    return node if all(isinstance(part, _SHORT) for part in parts) else ast.Constant(...)


def _decorator(node: ast.expr) -> str:
    called = node.func if isinstance(node, ast.Call) else node
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, 'id', '')


def _directive(kind: str, head: str, doc: str) -> str:
    return f'.. py:{kind}:: {head}\n\n{_indented(str(GoogleDocstring(doc, _NAPOLEON)))}'


def _indented(text: str) -> str:
    return textwrap.indent(text.strip(), '   ')
