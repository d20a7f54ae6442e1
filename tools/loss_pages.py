"""See ``python tools/loss_pages.py --help``."""

from mmkd_video.cli.loss_pages import main

if __name__ == '__main__':
    main()
