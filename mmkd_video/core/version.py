"""The version of mmkd_video."""

__version__ = '0.1.0'
