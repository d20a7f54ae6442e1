"""See ``python tools/report.py --help``."""

from mmkd_video.cli.report import main

if __name__ == '__main__':
    main()
