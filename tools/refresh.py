"""See ``python tools/refresh.py --help``."""

from mmkd_video_door import run_tool

if __name__ == '__main__':
    run_tool('refresh')
