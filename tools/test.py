"""See ``python tools/test.py --help``."""

from mmkd_video.cli.test import main

if __name__ == '__main__':
    main()
