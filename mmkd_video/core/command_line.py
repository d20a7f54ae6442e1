"""By which name a user has started a tool: ``mmkd train``, or ``python tools/train.py``.

What is printed can be run again where it is printed: without a clone there is no ``tools/``.
"""

import sys
from pathlib import Path

COMMAND = 'mmkd'
# below tools/; the others have the names of their commands
SCRIPTS = {
    'render': 'data/render_motion_clips',
    'check-data': 'check_data',
    'cache': 'cache_teacher',
    'feature-statistics': 'feature_statistics',
}


def program_of(tool: str) -> str:
    """Return the name of a tool for its usage.

    Args:
        tool: Its name among the commands of ``mmkd``.
    """
    return f'{COMMAND} {tool}' if _is_mmkd() else _script(tool).name


def words_of(tool: str) -> list[str]:
    """Return the words that begin a command of a tool.

    Args:
        tool: Its name among the commands of ``mmkd``.
    """
    return [COMMAND, tool] if _is_mmkd() else ['python', str(_script(tool))]


def _is_mmkd() -> bool:
    return sys.argv[0].partition(' ')[0] == COMMAND  # as mmkd_video.cli.commands leaves it for its tools


def _script(tool: str) -> Path:
    return Path('tools', f'{SCRIPTS.get(tool, tool)}.py')
