import weakref
from types import SimpleNamespace

import numpy as np

from mmkd_video.serving.sliding_window import Window
from mmkd_video.serving.submitter import Submitter


def window(number, frame=None):
    frames = (np.zeros((2, 2, 3), np.uint8) if frame is None else frame,)
    return Window(frames, first=number, last=number + 1, start=0.1, end=0.2, captured=0.3, segment=4)


def test_a_window_in_the_engine_keeps_its_numbers_and_no_frames():
    engine, preparer = SimpleNamespace(submit=lambda clip: lambda: clip), SimpleNamespace(assemble=np.sum)
    submitter, frame = Submitter(engine, preparer), np.ones((2, 2, 3), np.uint8)
    gone = weakref.ref(frame)
    submitter.put(window(7, frame))
    del frame
    assert gone() is None
    found, result = submitter.get()
    assert found == Window((), first=7, last=8, start=0.1, end=0.2, captured=0.3, segment=4)
    assert result() == 12
