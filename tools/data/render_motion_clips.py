"""Render the embedded data set: ``python tools/data/render_motion_clips.py [ROOT]``."""

from mmkd_video.cli.render import main

if __name__ == '__main__':
    main()
