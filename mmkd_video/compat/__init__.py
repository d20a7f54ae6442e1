"""One small file per break of today's stack; loaded before anything else of the package.

Every module has ``applies() -> bool`` (does the break bite here) and ``apply() -> None`` (mend it, once).
"""

from mmkd_video.compat import missing_drn

__all__ = ['missing_drn']

for _break in (missing_drn,):
    _break.apply()
