"""``python -m mmkd_video <command>``, and the installed command ``mmkd``."""

import sys

from mmkd_video.cli.commands import main

if __name__ == '__main__':
    sys.exit(main())
