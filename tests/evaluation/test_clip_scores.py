"""What a model says about each clip, in a file."""

import numpy as np
import pytest
import torch

from mmkd_video.evaluation import ClipScores, ScoredClips


class Clips:
    def __init__(self, *names):
        self.names = names

    def get_data_info(self, index):
        return dict(filename=self.names[index])


def sample(scores, *label):
    return dict(pred_score=torch.tensor(scores), gt_label=torch.tensor(label))


@pytest.fixture
def written(tmp_path):
    metric = ClipScores(tmp_path / 'scores.npz', Clips('a', 'b', 'c'))
    metric.process(None, [sample([0.75, 0.25], 0), sample([[0.0, 2.0], [0.0, 2.0]], 0)])
    metric.process(None, [sample([0.5, 0.5], 0, 1)])
    assert metric.evaluate(3) == {}
    return ScoredClips.read(tmp_path / 'scores.npz')


def test_probabilities_labels_and_names_come_back(written):
    assert written.probabilities[0] == pytest.approx([0.75, 0.25])
    assert written.probabilities[1] == pytest.approx([1 / (1 + np.exp(2)), 1 / (1 + np.exp(-2))])  # logits of two clips
    assert written.labels.tolist() == [0, 0, -1] and written.names.tolist() == ['a', 'b', 'c']
    assert written.correct.tolist() == [True, False, False]


def test_chance_is_the_share_of_the_most_frequent_label():
    labels = np.array([0, 1, 1, 2, 1])
    assert ScoredClips(np.zeros((5, 3)), labels, labels.astype(str)).chance == 0.6


def test_agreement_is_over_the_same_clips_and_classes(written):
    other = ScoredClips(np.array([[0.1, 0.6, 0.3], [0.8, 0.1, 0.1], [0.5, 0.4, 0.1]]), written.labels, written.names)
    assert written.agreement(other) is None  # three classes and two
    assert written.agreement(other, classes=[2, 1]) == 0.0
    assert written.agreement(other, classes=[1, 0]) == pytest.approx(2 / 3)
    moved = ScoredClips(written.probabilities, written.labels, np.array(['a', 'c', 'b']))
    assert written.agreement(moved) is None and written.agreement(written) == 1.0


def test_scores_of_several_modalities_leave_no_file(tmp_path):
    metric = ClipScores(tmp_path / 'scores.npz', Clips('a'))
    metric.process(None, [dict(pred_score=dict(rgb=torch.ones(2)), gt_label=torch.tensor([0]))])
    assert metric.evaluate(1) == {} and ScoredClips.read(tmp_path / 'scores.npz') is None


def test_a_damaged_file_is_none(tmp_path):
    (tmp_path / 'scores.npz').write_bytes(b'PK half')
    assert ScoredClips.read(tmp_path / 'scores.npz') is None
