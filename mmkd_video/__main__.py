"""``python -m mmkd_video <command>``."""

import argparse
import sys

from mmkd_video.cli.doctor import command as doctor

COMMANDS = {'doctor': doctor.main}


def main() -> int:
    """Run the named command with the remaining arguments and return its exit code."""
    parser = argparse.ArgumentParser(prog='python -m mmkd_video', description=__doc__)
    parser.add_argument('command', choices=sorted(COMMANDS), help='doctor: check this installation')
    arguments = parser.parse_args(sys.argv[1:2])
    return COMMANDS[arguments.command](sys.argv[2:])


if __name__ == '__main__':
    sys.exit(main())
