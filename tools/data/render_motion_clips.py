"""Render the embedded data set: ``python tools/data/render_motion_clips.py [ROOT]``."""

from mmkd_video_door import run_tool

if __name__ == '__main__':
    run_tool('render')
