COMPACT = """
import numpy as np
from mmaction.datasets.transforms import PoseCompact
keypoint = np.random.default_rng(0).uniform(8, 56, (1, 4, 17, 2))
print(PoseCompact()(dict(keypoint=keypoint, img_shape=(64, 64)))['img_shape'])
"""


def test_a_compact_skeleton_fails_without_and_not_with(breaks_without, healthy_with):
    breaks_without(COMPACT, '`np.Inf` was removed')
    healthy_with(COMPACT)
