"""``mmkd <command>``, the same as ``python -m mmkd_video <command>``: every tool under one name.

A command's module is imported when it is asked for; the list of all of them needs neither torch nor MMAction2.
"""

import argparse
import difflib
import importlib
import sys
from collections.abc import Sequence

import mmkd_video
from mmkd_video.cli.mistakes import INTERRUPTED, output_that_arrives
from mmkd_video.core.command_line import COMMAND
from mmkd_video.core.version import __version__

# command: (its module here, what it does)
COMMANDS = {
    'new': ('new', 'write a config for a student and a teacher'),
    'check-data': ('check_data', 'open every video of a config once, and list what is wrong'),
    'train': ('train', 'train a recognizer, alone or distilled'),
    'distill': ('distill', 'train a student in stages, first without labels'),
    'cache': ('cache', "keep a teacher's answers to a whole training set"),
    'chain': ('chain', 'train configs in order, each taught by the one before'),
    'probe': ('probe', 'train a head for your classes on a frozen encoder, which then teaches'),
    'refresh': ('refresh', 'teach a trained student new clips or classes, and say what it forgot'),
    'feature-statistics': ('feature_statistics', "measure a teacher's features over a training set, for target_norm"),
    'test': ('test', 'test a checkpoint or an exported file'),
    'compare': ('compare', 'teacher, student alone and student distilled, over seeds'),
    'ablate': ('ablate', 'many losses at one budget'),
    'baseline': ('baseline', 'what histograms of optical flow reach on a data set'),
    'compress': ('compress', 'the whole way: distil, prune, export, quantize, measure'),
    'shrink': ('shrink', 'propose smaller students for a budget'),
    'prune': ('prune', 'remove channels from a trained student'),
    'export': ('export', 'write a student as ONNX or OpenVINO, and check the file'),
    'quantize': ('quantize', 'write a student in int8, and check the file'),
    'benchmark': ('benchmark', 'measure training steps, losses, models in runtimes, or streams'),
    'robustness': ('robustness', 'accuracy on corrupted clips: noise, blur, compression, lost frames and more'),
    'attack': ('attack', 'accuracy on clips that were changed to mislead the model'),
    'stream': ('stream', 'classify a video, a folder or a camera with an exported file'),
    'frontier': ('frontier', 'accuracy of students against latency and operations'),
    'report': ('report', 'one page about trainings, comparisons and compressions'),
    'render': ('render', 'write the embedded motion clips'),
    'doctor': ('doctor.command', 'check this installation'),
}
WITHOUT_STACK = {'doctor'}  # works where MMAction2 does not import
WRONG_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named command with the remaining arguments.

    Args:
        arguments: The command and its arguments; those of this process by default.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = build_parser()
    if not words:
        parser.print_help(sys.stderr)
        return WRONG_USAGE
    if words[0].startswith('-'):
        with output_that_arrives():
            parser.parse_args(words[:1])
    if words[0] not in COMMANDS:
        print(f'error: {COMMAND} {words[0]}: {unknown(words[0])}', file=sys.stderr)
        return WRONG_USAGE
    before, sys.argv = sys.argv, [f'{COMMAND} {words[0]}', *words[1:]]
    try:
        return run(words[0])
    finally:
        sys.argv = before


def run(command: str) -> int:
    """Run a command that exists, with the arguments of this process.

    Args:
        command: One of ``COMMANDS``.

    Returns:
        The exit code.
    """
    try:
        if command not in WITHOUT_STACK:
            mmkd_video.register()
        tool = importlib.import_module(f'{__package__}.{COMMANDS[command][0]}')
    except KeyboardInterrupt:  # the stack takes seconds to import
        print('\ninterrupted', file=sys.stderr)
        return INTERRUPTED
    with output_that_arrives():
        result = tool.main()
    return result if isinstance(result, int) else 0


def unknown(command: str) -> str:
    """Return what to say of a command that does not exist.

    Args:
        command: Name that was asked for.
    """
    near = difflib.get_close_matches(command, COMMANDS, 1)
    hint = f'did you mean {near[0]!r}? ' if near else ''
    return f'there is no such command; {hint}these exist: {", ".join(COMMANDS)}'


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of what stands before a command."""
    width = max(map(len, COMMANDS))
    lines = [f'  {name:{width}}  {what}' for name, (_, what) in COMMANDS.items()]
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        usage='%(prog)s <command> [arguments]',
        description='Knowledge distillation for video recognizers.',
        epilog='\n'.join(['commands:', *lines, '', f'{COMMAND} <command> --help tells the arguments of each']),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=f'mmkd_video {__version__}')
    return parser
