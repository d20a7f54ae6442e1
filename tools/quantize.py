"""See ``python tools/quantize.py --help``."""

from mmkd_video.cli.quantize import main

if __name__ == '__main__':
    main()
