"""``--cfg-options``."""

from argparse import ArgumentParser

from mmkd_video.cli.option_values import OptionAction


def add_cfg_options(parser: ArgumentParser) -> None:
    """Add MMAction2's ``--cfg-options``."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionAction,
        metavar='KEY=VALUE',
        help='settings that replace those of the config: a.b=1, list="[a,b]" (quoted, without spaces), '
        'a.0.b=1 for an item of a list, a="[dict(type=\'X\', b=1)]"',
    )
