"""See ``python tools/export.py --help``."""

from mmkd_video.cli.export import main

if __name__ == '__main__':
    main()
