"""Clips that find others of their class."""

import pytest
import torch

from mmkd_video.core.registry import METRICS
from mmkd_video.functional import average_precision, recall_at

LINE = [0.0, 0.1, 0.3, 0.6, 1.0]  # angles: who is nearest is seen at once


def measured(labels, vectors=None, **settings):
    metric = METRICS.build(dict(type='ClipRetrieval', topk=[1, 2], **settings))
    angles = torch.tensor(LINE)
    vectors = torch.stack([angles.cos(), angles.sin()], dim=1) * 3 if vectors is None else vectors
    key = settings.get('key', 'embedding')
    metric.process(None, [{key: v, 'gt_label': torch.as_tensor(y)} for v, y in zip(vectors, labels, strict=True)])
    return metric.evaluate(len(labels))


def test_rankings_in_closed_form():
    relevant = torch.tensor([[True, False, True], [False, False, True], [False, False, False]])
    assert recall_at(relevant, 1).tolist() == [True, False, False]
    assert recall_at(relevant, 3).tolist() == [True, True, False]
    assert average_precision(relevant).tolist() == pytest.approx([(1 + 2 / 3) / 2, 1 / 3, 0.0])


def test_each_clip_asks_all_others():
    # 0: 1 2 3 4; 1: 0 2 3 4; 2: 1 0 3 4 (0.3 from both 0 and 3, the first one first); 3: 2 4 1 0; 4: 3 2 1 0
    found = measured([[0], [0], [1], [1], [1]])
    assert found['retrieval/recall@1'] == pytest.approx(4 / 5)  # clip 2 finds clip 1
    assert found['retrieval/recall@2'] == pytest.approx(4 / 5)
    of_clip_2 = (1 / 3 + 2 / 4) / 2
    assert found['retrieval/mean_average_precision'] == pytest.approx((1 + 1 + of_clip_2 + 1 + 1) / 5)


def test_a_clip_alone_in_its_class_or_without_label_asks_for_nothing():
    found = measured([[0], [0], [1], [-1], [-1]])
    assert found['retrieval/recall@1'] == 1.0
    assert measured([[0], [1], [2], [3], [4]]) == {}


def test_several_labels_ask_for_any_in_common():
    labels = [[1.0, 1, 0], [0.0, 0, 1], [0, 1.0, 0], [0, 0.0, 1], [1.0, 0, 0]]
    found = measured(labels)
    # 0 shares with 2 and 4, 1 with 3, 2 with 0, 3 with 1, 4 with 0: nobody's nearest does
    assert found['retrieval/recall@1'] == 0.0 and found['retrieval/recall@2'] == pytest.approx(2 / 5)


def test_many_clips_are_ranked_in_parts_alike(monkeypatch):
    vectors = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    labels = [[index % 3] for index in range(30)]
    whole = measured(labels, vectors)
    monkeypatch.setattr('mmkd_video.evaluation.clip_retrieval.QUERIES', 7)
    assert measured(labels, vectors) == pytest.approx(whole)


def test_scores_of_several_clips_serve_too():
    vectors = torch.eye(5)[:, None].repeat(1, 2, 1)
    assert measured([[0], [0], [1], [1], [1]], vectors, key='pred_score')['retrieval/recall@2'] > 0


def test_a_head_without_an_embedding_is_named():
    metric = METRICS.build(dict(type='ClipRetrieval'))
    with pytest.raises(ValueError, match=r"ClipRetrieval.key: got NoneType as 'embedding' .*type='EmbeddingHead'"):
        metric.process(None, [dict(pred_score=torch.ones(3), gt_label=torch.tensor([0]))])
