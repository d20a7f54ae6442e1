import pytest
import torch

from mmkd_video.functional import channels_and_positions


@pytest.mark.parametrize(
    ('shape', 'expected'),
    [((2, 3), (2, 3, 1)), ((2, 5, 3), (2, 3, 5)), ((2, 3, 4, 5), (2, 3, 20)), ((2, 3, 2, 4, 5), (2, 3, 40))],
)
def test_positions_come_last(shape: tuple, expected: tuple) -> None:
    assert channels_and_positions(torch.zeros(shape)).shape == expected
