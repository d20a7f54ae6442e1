"""See ``python tools/benchmark.py --help``."""

from mmkd_video.cli.benchmark import main

if __name__ == '__main__':
    main()
