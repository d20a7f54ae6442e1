"""See ``python tools/check_data.py --help``."""

from mmkd_video.cli.check_data import main

if __name__ == '__main__':
    main()
