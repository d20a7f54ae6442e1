import pytest
import torch

from mmkd_video.functional import channels_and_positions, resample_map


@pytest.mark.parametrize(
    ('shape', 'expected'),
    [((2, 3), (2, 3, 1)), ((2, 5, 3), (2, 3, 5)), ((2, 3, 4, 5), (2, 3, 20)), ((2, 3, 2, 4, 5), (2, 3, 40))],
)
def test_positions_come_last(shape: tuple, expected: tuple) -> None:
    assert channels_and_positions(torch.zeros(shape)).shape == expected


def test_a_map_on_another_grid_is_averaged_where_it_is_finer_and_interpolated_where_it_is_coarser() -> None:
    rows = torch.tensor([[0.0, 2.0, 10.0, 14.0]])  # four times, one place
    feature = rows.view(1, 1, 4, 1, 1).expand(-1, -1, -1, 2, 2)
    found = resample_map(feature, (2, 2, 2))
    assert found[0, 0, :, 0, 0].tolist() == [1.0, 12.0]
    wider = resample_map(torch.tensor([0.0, 4.0]).view(1, 1, 1, 1, 2), (1, 1, 4))
    assert wider.flatten().tolist() == [0.0, 1.0, 3.0, 4.0]
    mixed = resample_map(feature * torch.tensor([1.0, 3.0]), (2, 2, 4))
    assert mixed[0, 0, 1, 0].tolist() == [12.0, 18.0, 30.0, 36.0]
    same = torch.rand(1, 2, 2, 3, 3)
    assert resample_map(same, (2, 3, 3)) is same
    assert resample_map(wider.bfloat16(), (1, 2, 4)).dtype == torch.bfloat16
