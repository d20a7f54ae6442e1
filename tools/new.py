"""See ``python tools/new.py --help``."""

from mmkd_video.cli.new import main

if __name__ == '__main__':
    main()
