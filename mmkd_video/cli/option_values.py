"""Values of ``--cfg-options``, behind the equals sign."""

import ast
import json
from argparse import ArgumentError, ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from mmengine.config import DictAction

from mmkd_video.core.mistakes import WrongValueError

STRUCTURED = ('{', 'dict(', '[{', '[dict(', '({', '(dict(')


class OptionAction(DictAction):
    """MMAction2's ``KEY=VALUE``, and dicts and lists of dicts as a config writes them."""

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: Sequence[str],
        option_string: str | None = None,
    ) -> None:
        """Add what the command line gives to the options that are there.

        Raises:
            ArgumentError: It is not ``KEY=VALUE``, or the value cannot be read.
        """
        options = dict(getattr(namespace, self.dest, None) or {})
        for text in values:
            key, equals, value = text.partition('=')
            if not equals or not all(key.split('.')):
                raise ArgumentError(self, f'got {text!r}; expected KEY=VALUE such as model.task_weight=0.5')
            try:
                options[key] = read_value(value)
            except ValueError as error:
                raise ArgumentError(self, f'{key}: {error}') from error
        setattr(namespace, self.dest, options)


def read_value(text: str) -> Any:
    """Read the value of an option.

    Args:
        text: A number, a word, a list ``[a,b]`` of these, or a dict or a list of dicts as in a config or in JSON.

    Raises:
        ValueError: It cannot be read.
    """
    bare = text.strip().strip('\'"')
    if bare.replace(' ', '').startswith(STRUCTURED):
        return _structured(bare)
    try:
        return DictAction._parse_iterable(text)
    except AssertionError as error:
        raise WrongValueError(f'got {text!r}, in which a bracket is missing') from error


def _structured(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return _plain(ast.parse(text, mode='eval').body)
    except (SyntaxError, ValueError) as error:
        raise WrongValueError(
            f'got {text!r}, expected dicts and lists of plain values as a config writes them, such as '
            "\"[dict(type='KDLoss', at='logits')]\" (in double quotes, words in single ones)"
        ) from error


def _plain(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict' and not node.args:
        return {keyword.arg: _plain(keyword.value) for keyword in node.keywords if _named(keyword)}
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {_plain(key): _plain(value) for key, value in zip(node.keys, node.values, strict=True)}
    if isinstance(node, ast.List | ast.Tuple):
        kind = list if isinstance(node, ast.List) else tuple
        return kind(_plain(item) for item in node.elts)
    return ast.literal_eval(node)


def _named(keyword: ast.keyword) -> bool:
    if keyword.arg is None:
        raise WrongValueError('** stands for nothing here')
    return True
