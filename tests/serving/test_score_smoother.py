import numpy as np
import pytest

from mmkd_video.serving import ScoreSmoother


def test_a_moving_average_that_begins_with_the_first():
    smooth, one, other = ScoreSmoother(0.75), np.array([1.0, 0.0]), np.array([0.0, 1.0])
    np.testing.assert_allclose(smooth(one), [1, 0])
    np.testing.assert_allclose(smooth(other), [0.75, 0.25])
    np.testing.assert_allclose(smooth(other), [0.5625, 0.4375])
    np.testing.assert_allclose(smooth(other, segment=1), [0, 1])
    np.testing.assert_allclose(one, [1, 0])


def test_none():
    smooth = ScoreSmoother()
    smooth(np.array([1.0, 0.0]))
    np.testing.assert_array_equal(smooth(np.array([0.2, 0.8])), [0.2, 0.8])


@pytest.mark.parametrize('past', [-0.1, 1.0, float('nan')])
def test_bad_weights(past):
    with pytest.raises(ValueError, match='smooth: got'):
        ScoreSmoother(past)
