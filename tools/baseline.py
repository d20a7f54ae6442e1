"""See ``python tools/baseline.py --help``."""

from mmkd_video.cli.baseline import main

if __name__ == '__main__':
    main()
