import numpy as np
import pytest

from mmkd_video.views import SpanSample


def frames(total=100, start_index=0, seed=0, **settings):
    np.random.seed(seed)
    results = SpanSample(**settings).transform(dict(total_frames=total, start_index=start_index))
    assert (results['clip_len'], results['num_clips'], results['frame_interval']) == (settings['clip_len'], 1, None)
    return results['frame_inds']


def test_a_test_sees_the_whole_video():
    assert frames(clip_len=5, test_mode=True).tolist() == [0, 25, 50, 74, 99]
    assert frames(clip_len=3, test_mode=True, start_index=1).tolist() == [1, 51, 100]


def test_distances_are_even_and_the_span_is_random():
    drawn = [frames(clip_len=8, span=(0.5, 0.9), seed=seed) for seed in range(20)]
    for each in drawn:
        steps = np.diff(each)
        assert steps.max() - steps.min() <= 1
        assert 0.5 * 99 - 1 <= each[-1] - each[0] <= 0.9 * 99 + 1
        assert each[0] >= 0 and each[-1] <= 99
    assert len({tuple(each) for each in drawn}) > 15


def test_frames_of_a_short_video_come_twice():
    assert frames(total=2, clip_len=4, test_mode=True).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize('span', [(0, 1), (0.9, 0.8), (0.5, 1.1), (0.5,)])
def test_spans_that_make_no_sense_are_named(span):
    with pytest.raises(ValueError, match=r'SpanSample.span.*: got'):
        SpanSample(8, span)
