"""A head that gives embeddings."""

import pytest
import torch
from mmaction.structures import ActionDataSample

from mmkd_video.models import EmbeddingHead


def test_scores_depend_on_the_direction_of_the_embedding_alone():
    torch.manual_seed(0)
    head = EmbeddingHead(5, 6, embedding_size=4, scale=8.0)
    head.init_weights()
    x = torch.randn(2, 6, 3, 2, 2)
    vectors = head.embed(x)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(2))
    raw = head.embedding(x.mean((2, 3, 4)))
    assert torch.allclose(head(x), head.fc_cls(8.0 * raw / raw.norm(dim=1, keepdim=True)), atol=1e-6)
    with torch.no_grad():
        scores = head(x)
        head.embedding.weight.mul_(3)
        head.embedding.bias.mul_(3)
        assert torch.allclose(head(x), scores, atol=1e-5)


def test_frames_in_a_row_are_the_same_clip():
    head = EmbeddingHead(5, 6)
    x = torch.randn(2, 6, 3, 2, 2)
    assert torch.allclose(head.embed(x), head.embed(x.transpose(1, 2).flatten(0, 1), num_segs=3), atol=1e-6)


def test_predictions_hold_the_mean_direction_of_the_clips_of_a_sample():
    head = EmbeddingHead(5, 6, num_segments=3, average_clips='prob')
    x = torch.randn(2 * 2 * 3, 6, 2, 2)  # 2 samples of 2 clips of 3 frames
    samples = head.predict(x, [ActionDataSample(), ActionDataSample()], num_segs=6)
    mean = head.embed(x).unflatten(0, (2, 2)).mean(1)
    for sample, vector in zip(samples, mean, strict=True):
        assert torch.allclose(sample.embedding, vector / vector.norm(), atol=1e-6)
        assert sample.pred_score.shape == (5,) and sample.pred_score.sum().item() == pytest.approx(1.0)


def test_other_channels_are_named():
    with pytest.raises(ValueError, match=r'in_channels: got a feature \(1, 4, 2, 2\); expected one map of 6'):
        EmbeddingHead(5, 6).embed(torch.zeros(1, 4, 2, 2))
