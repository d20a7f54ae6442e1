"""See ``python tools/compress.py --help``."""

from mmkd_video.cli.compress import main

if __name__ == '__main__':
    main()
