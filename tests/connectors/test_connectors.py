import pytest
import torch

from mmkd_video.connectors import ProjectionConnector, match_layouts, match_positions


@pytest.mark.parametrize(('layout', 'shape'), [('map', (2, 3, 4, 5, 6)), ('tokens', (2, 7, 3)), ('vector', (2, 3))])
@pytest.mark.parametrize('norm', [False, True])
def test_a_projection_changes_channels_only(layout, shape, norm):
    feature = torch.randn(shape, requires_grad=True)
    out = ProjectionConnector(3, 8, layout, norm=norm)(feature)
    expected = list(shape)
    expected[1 if layout != 'tokens' else 2] = 8
    assert list(out.shape) == expected
    out.square().sum().backward()
    assert feature.grad.abs().sum() > 0


def test_a_projection_treats_every_position_alike():
    connector = ProjectionConnector(3, 2, 'map')
    clip = torch.randn(1, 3, 2, 2, 2)
    weight, bias = connector.project.weight, connector.project.bias
    expected = torch.einsum('oc,ncthw->nothw', weight, clip) + bias.view(1, -1, 1, 1, 1)
    assert torch.allclose(connector(clip), expected, atol=1e-6)


def test_an_unknown_layout_is_named():
    with pytest.raises(ValueError, match="got 'image'; expected 'map', 'tokens' or 'vector'"):
        ProjectionConnector(3, 2, 'image')


def test_each_dimension_is_pooled_to_the_coarser_side():
    student, teacher = torch.randn(2, 3, 8, 2, 2), torch.randn(2, 5, 4, 6, 2)
    ours, theirs = match_positions(student, teacher)
    assert ours.shape == (2, 3, 4, 2, 2) and theirs.shape == (2, 5, 4, 2, 2)
    assert torch.allclose(ours, student.unflatten(2, (4, 2)).mean(3))
    assert torch.allclose(theirs[..., 0, 0], teacher[..., :3, 0].mean(-1))


def test_equal_sizes_pass_untouched():
    student, teacher = torch.randn(2, 3, 4, 2, 2), torch.randn(2, 5, 4, 2, 2)
    assert all(a is b for a, b in zip(match_positions(student, teacher), (student, teacher), strict=True))


def test_tokens_are_pooled_along_their_length():
    ours, theirs = match_positions(torch.randn(2, 6, 3), torch.randn(2, 3, 5))
    assert ours.shape == (2, 3, 3) and theirs.shape == (2, 3, 5)


def test_a_map_beside_as_many_tokens_is_flattened_in_reading_order():
    clip = torch.arange(2 * 3 * 8.0).view(2, 3, 2, 2, 2)
    ours, theirs = match_layouts(clip, torch.randn(2, 8, 5))
    assert ours.shape == (2, 8, 3) and theirs.shape == (2, 8, 5)
    assert torch.equal(ours[0, 5], clip[0, :, 1, 0, 1])


def test_other_mixed_pairs_are_averaged_to_vectors():
    clip = torch.randn(2, 3, 2, 2, 2)
    ours, theirs = match_layouts(clip, torch.randn(2, 5))
    assert torch.allclose(ours, clip.mean(dim=(2, 3, 4))) and theirs.shape == (2, 5)
    ours, theirs = match_layouts(clip, torch.randn(2, 9, 5))
    assert ours.shape == (2, 3) and theirs.shape == (2, 5)
