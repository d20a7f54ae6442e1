"""See ``python tools/compare.py --help``."""

from mmkd_video.cli.compare import main

if __name__ == '__main__':
    main()
