"""See ``python tools/prune.py --help``."""

from mmkd_video.cli.prune import main

if __name__ == '__main__':
    main()
