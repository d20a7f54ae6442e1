import numpy as np
import pytest

from mmkd_video.serving import SlidingWindow


def frame(number):
    return np.array([number])


def feed(window, count, begin=0):
    """Push so many pictures, prepared where wanted; return windows and the numbers that were prepared."""
    windows, prepared = [], []
    for number in range(begin, begin + count):
        wanted = window.wanted
        prepared += [number] if wanted else []
        found = window.push(frame(number) if wanted else None, number / 10, number * 1.0)
        windows += [found] if found else []
    return windows, prepared


def numbers(window):
    return [int(each[0]) for each in window.frames]


@pytest.mark.parametrize('frames, interval, hop', [(4, 1, 1), (4, 3, 5), (3, 4, 2), (2, 2, 9), (1, 5, 3), (8, 2, 8)])
def test_windows_hold_the_frames_they_say(frames, interval, hop):
    total = 40
    windows, prepared = feed(SlidingWindow(frames, interval, hop), total)
    span = (frames - 1) * interval + 1
    starts = list(range(0, total - span + 1, hop))
    assert [numbers(each) for each in windows] == [[s + i * interval for i in range(frames)] for s in starts]
    assert [(each.first, each.last) for each in windows] == [(s, s + span - 1) for s in starts]
    for each in windows:
        assert (each.start, each.end, each.captured) == (each.first / 10, each.last / 10, each.last)
    needed = {s + i * interval for s in range(0, total, hop) for i in range(frames) if s + i * interval < total}
    assert set(prepared) == needed | set(range(min(span, total)))


def test_windows_share_their_frames():
    windows, _ = feed(SlidingWindow(4, 1, 1), 6)
    assert windows[0].frames[1] is windows[1].frames[0]


def test_the_ring_stays_small():
    window = SlidingWindow(4, 2, 3)
    feed(window, 1000)
    assert len(window._ring) <= window.span


def test_no_window_over_an_interruption():
    window = SlidingWindow(3, 1, 2)
    before, _ = feed(window, 4)
    window.interrupt()
    after, _ = feed(window, 6, begin=4)
    assert [numbers(each) for each in before + after] == [[0, 1, 2], [4, 5, 6], [6, 7, 8]]
    assert [each.segment for each in after] == [1, 1]
    assert window.finish() is None


@pytest.mark.parametrize('repeat_last, expected', [(False, [0, 2, 4, 1, 3]), (True, [0, 2, 4, 4, 4])])
def test_a_short_stream_is_one_window(repeat_last, expected):
    window = SlidingWindow(5, 2, 3, repeat_last)
    assert feed(window, 5)[0] == []
    assert numbers(window.finish()) == expected


def test_nothing_is_left_of_a_long_or_an_empty_stream():
    window = SlidingWindow(3, 1, 2)
    assert window.finish() is None
    feed(window, 4)
    assert window.finish() is None


@pytest.mark.parametrize('name', ['frames', 'interval', 'hop'])
def test_numbers_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f'{name}: got 0'):
        SlidingWindow(**{'frames': 2, 'interval': 1, 'hop': 1, name: 0})
