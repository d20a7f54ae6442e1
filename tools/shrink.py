"""See ``python tools/shrink.py --help``."""

from mmkd_video.cli.shrink import main

if __name__ == '__main__':
    main()
