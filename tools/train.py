"""See ``python tools/train.py --help``."""

from mmkd_video.cli.train import main

if __name__ == '__main__':
    main()
