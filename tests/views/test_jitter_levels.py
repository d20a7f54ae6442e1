import numpy as np

from mmkd_video.views import JitterLevels


def jittered(images, seed=0, **settings):
    np.random.seed(seed)
    return JitterLevels(**settings).transform(dict(imgs=images))['imgs']


def test_all_frames_of_a_clip_change_alike_and_the_given_ones_do_not():
    image = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    kept = image.copy()
    first, second = jittered([image, image.copy()])
    assert (first == second).all() and (image == kept).all()
    assert first.dtype == np.uint8 and first.shape == image.shape
    assert (first != jittered([image], seed=1)[0]).any()


def test_levels_follow_the_formula():
    image = np.arange(256, dtype=np.uint8)[:, None, None].repeat(3, 2)
    draw = np.random.RandomState(0).uniform(-1, 1, 5)
    (found,) = jittered([image], contrast=0.3, brightness=20.0, balance=0.1)
    for channel in range(3):
        gain = (1 + 0.3 * draw[0]) * (1 + 0.1 * draw[1 + channel])
        expected = np.clip(127.5 + gain * (np.arange(256) - 127.5) + 20 * draw[4], 0, 255)
        assert np.abs(found[:, 0, channel] - expected).max() <= 0.5


def test_nothing_changes_where_nothing_may():
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert (jittered([image], contrast=0, brightness=0, balance=0)[0] == image).all()
