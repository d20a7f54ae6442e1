"""See ``python tools/stream.py --help``."""

import sys

from mmkd_video.cli.stream import main

if __name__ == '__main__':
    sys.exit(main())
