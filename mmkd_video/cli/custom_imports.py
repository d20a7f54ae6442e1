"""``--custom-imports``, for tools that read no config."""

from argparse import ArgumentParser
from collections.abc import Sequence
from importlib import import_module

from mmkd_video.core.mistakes import WrongValueError

OPTION = '--custom-imports'


def add_custom_imports(parser: ArgumentParser) -> None:
    """Add an option that does what ``custom_imports`` does in a config.

    Args:
        parser: Parser that is changed.
    """
    parser.add_argument(
        OPTION,
        nargs='+',
        default=[],
        metavar='MODULE',
        help='modules of your own to import first, such as one that registers the backend of the model; as in configs',
    )


def import_modules(names: Sequence[str]) -> None:
    """Import what the option names.

    Args:
        names: Names of modules.

    Raises:
        ValueError: There is no such module, or it needs one that is not there.
    """
    for name in names:
        try:
            import_module(name)
        except ImportError as error:
            raise WrongValueError(
                f'{OPTION}: {name!r} cannot be imported ({error}); expected a module that is installed or lies in a '
                'folder of PYTHONPATH'
            ) from error
