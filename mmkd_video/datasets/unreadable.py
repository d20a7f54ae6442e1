"""Distinguishing a video that cannot be read from an error in a program or a config."""

from mmkd_video.core.mistakes import Mistake

_READERS = (
    'decord',
    'av',
    'torchcodec',
    'mmkd_video.datasets.decoders',
    'mmcv.video',
    'mmcv.image.io',
    'mmengine.fileio',
    'mmaction.datasets.transforms.loading',
)
_MISTAKES = (ImportError, KeyError, TypeError, AttributeError, NameError, AssertionError)


def is_unreadable(error: Exception) -> bool:
    """Return whether an error is due to the video: missing, empty, damaged, or not a video at all.

    Readers raise anything from ``FileNotFoundError`` to ``RuntimeError`` and ``ValueError``; they share
    only where they raise it. A missing package or key raises there too, but no other video would do better.

    Args:
        error: An error that a dataset raised, with its traceback.
    """
    if isinstance(error, OSError):
        return True
    if isinstance(error, (*_MISTAKES, Mistake)):
        return False
    trace = error.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_globals.get('__name__', '')
        if any(module == reader or module.startswith(f'{reader}.') for reader in _READERS):
            return True
        trace = trace.tb_next
    return False
