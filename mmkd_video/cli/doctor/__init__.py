"""``python -m mmkd_video doctor``: is this machine ready, and if not, which command makes it so?"""
