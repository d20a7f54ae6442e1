"""See ``python tools/ablate.py --help``."""

from mmkd_video.cli.ablate import main

if __name__ == '__main__':
    main()
