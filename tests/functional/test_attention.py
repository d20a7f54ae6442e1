import torch

from mmkd_video.functional import attention_map


def test_attention_map_is_the_unit_energy_of_every_place() -> None:
    feature = torch.tensor([[[[3.0, 0.0], [0.0, 0.0]], [[0.0, 2.0], [0.0, 0.0]]]])  # (1, 2, 2, 2)
    expected = torch.tensor([[9.0, 4.0, 0.0, 0.0]]) / 97**0.5
    assert torch.allclose(attention_map(feature, 2), expected)


def test_tokens_and_maps_have_the_same_attention() -> None:
    clip = torch.randn(2, 3, 2, 4, 4)
    tokens = clip.flatten(2).transpose(1, 2)
    assert torch.equal(attention_map(clip, 2), attention_map(tokens, 2))
