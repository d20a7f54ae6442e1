"""Which tokens masks show."""

import pytest
import torch

from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.masking import AttentionMask, RandomMask, TubeMask, build_mask, draw_rows

GRID = (3, 4, 5)
MASKS = {
    'random': (RandomMask(0.8), 12),
    'tube': (TubeMask(0.8), 3 * 4),
    'attention': (AttentionMask(0.8), 3 * 4),
    'clip_attention': (AttentionMask(0.8, per_frame=False), 12),
    'odd': (RandomMask(0.75), 15),
    'all': (RandomMask(0.0), 60),
    'nearly_none': (TubeMask(0.99), 3),
}


def weights(clips, grid=GRID):
    return torch.rand(clips, grid[0] * grid[1] * grid[2], generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize('name', MASKS)
def test_every_clip_shows_as_many_places_each_once(name):
    mask, count = MASKS[name]
    torch.manual_seed(0)
    kept = mask.draw(4, GRID, weights(4))
    assert kept.shape == (4, count) and kept.dtype == torch.int64
    assert kept.min() >= 0 and kept.max() < 60
    assert all(len(set(row.tolist())) == count for row in kept)
    assert count == 60 or len({tuple(sorted(row.tolist())) for row in kept}) > 1


def test_a_tube_shows_the_same_places_at_all_times():
    torch.manual_seed(0)
    kept = TubeMask(0.8).draw(4, GRID, None)
    for row in kept:
        times = [sorted((row[row // 20 == time] % 20).tolist()) for time in range(3)]
        assert times[0] == times[1] == times[2] and len(times[0]) == 4


def test_as_many_tokens_of_each_frame_by_the_teachers_attention():
    torch.manual_seed(0)
    uneven = weights(4) * torch.tensor([1.0, 1e-3, 1e3]).repeat_interleave(20)
    counted = [AttentionMask(0.8, per_frame=each).draw(4, GRID, uneven) // 20 for each in (True, False)]
    by_time = [[row.bincount(minlength=3).tolist() for row in each] for each in counted]
    assert by_time[0] == [[4, 4, 4]] * 4
    assert all(row[2] > 10 for row in by_time[1])


def test_places_are_drawn_in_proportion_to_their_weights():
    torch.manual_seed(0)
    shares = torch.tensor([0.5, 0.3, 0.2, 0.0])
    first = draw_rows(shares.expand(20_000, 4), 1).flatten().bincount(minlength=4) / 20_000
    assert torch.allclose(first, shares, atol=0.015)
    pairs = draw_rows(shares.expand(20_000, 4), 2)
    together = (pairs < 2).all(dim=1).float().mean().item()
    assert together == pytest.approx(0.5 * 0.3 / 0.5 + 0.3 * 0.5 / 0.7, abs=0.015)  # without replacement
    assert not (pairs == 3).any()
    assert (draw_rows(torch.zeros(2, 4), 3).sort(dim=1).values.diff(dim=1) > 0).all()  # no weight at all


def test_draws_follow_the_global_seed():
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        drawn.append(RandomMask().draw(2, GRID, None))
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize('kind', ['RandomMask', 'TubeMask', 'AttentionMask'])
@pytest.mark.parametrize('ratio', [1.0, 1, 1.5])
def test_something_must_be_seen(kind, ratio):
    with pytest.raises(ValueError, match=rf'{kind}.ratio: got {ratio}; expected'):
        build_mask(dict(type=kind, ratio=ratio))
    assert build_mask(dict(type=kind, ratio=0)).kept_of(60) == 60


def test_the_share_that_is_left_out_is_rounded_down():
    assert [RandomMask(ratio).kept_of(total) for ratio, total in ((0.8, 196), (0.8, 1568), (0.9, 10), (0.7, 10))] == [
        40,
        314,
        1,
        3,
    ]


@pytest.mark.parametrize('kind', ['TubeMsk', 'Balanced', None])
def test_an_unknown_mask_is_told_with_those_that_there_are(kind):
    assert TASK_UTILS.get('Balanced') is not None
    with pytest.raises(KeyError, match=r"masking.type: got .*; expected one of 'AttentionMask', .*'TubeMask'"):
        build_mask(dict(type=kind))
    with pytest.raises(KeyError, match=r"masking.*'ration'.*ratio"):
        build_mask(dict(type='TubeMask', ration=0.5))
