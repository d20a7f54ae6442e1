import pytest
import torch

from mmkd_video.core.token_subset import TokenSubset

SUBSET = TokenSubset(torch.tensor([[0, 3, 5], [1, 2, 4]]), (1, 2, 3))


def test_tokens_of_each_clip_are_taken_by_their_places():
    tokens = torch.arange(12.0).view(2, 6, 1).expand(-1, -1, 4)
    assert SUBSET.of(tokens)[:, :, 3].tolist() == [[0, 3, 5], [7, 8, 10]]
    assert SUBSET.of(tokens[0])[:, :, 0].tolist() == [[0, 3, 5], [1, 2, 4]]
    assert SUBSET.rows([1]).of(tokens[1:])[:, :, 0].tolist() == [[7, 8, 10]] and SUBSET.rows(None) is SUBSET


def test_the_mask_is_true_where_tokens_are_seen():
    assert SUBSET.mask().tolist() == [
        [[[True, False, False], [True, False, True]]],
        [[[False, True, True], [False, True, False]]],
    ]
    assert SUBSET.total == 6


@pytest.mark.parametrize(
    ('shape', 'expected'), [((2, 3, 8), True), ((2, 6, 8), False), ((2, 3), False), ((2, 3, 1, 1, 1), False)]
)
def test_features_of_these_tokens_are_known_by_their_shape(shape, expected):
    assert SUBSET.are(torch.zeros(shape)) is expected
