"""The classifier of the simple reference."""

import numpy as np
import torch

from mmkd_video.evaluation import LogisticRegression


def blobs(seed, count=30):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    return rng.normal(size=(count, 5)) + 6 * np.eye(3, 5)[labels], labels


def test_separable_classes_are_told_apart():
    model = LogisticRegression().fit(*blobs(0), num_classes=3)
    features, labels = blobs(1)
    assert (model.predict(features) == labels).all()


def test_the_weights_are_the_optimum_of_the_penalised_loss():
    features, labels = blobs(0)
    model = LogisticRegression(penalty=0.1).fit(features, labels, num_classes=3)
    inputs = torch.from_numpy((features - features.mean(0)) / (features - features.mean(0)).std())
    loss = torch.nn.functional.cross_entropy(inputs @ model._weight + model._bias, torch.from_numpy(labels))
    loss = loss + 0.05 * model._weight.square().sum()
    gradient = torch.autograd.grad(loss, [model._weight, model._bias])
    assert max(each.abs().max() for each in gradient) < 1e-5


def test_features_that_never_vary_are_no_obstacle():
    model = LogisticRegression().fit(np.ones((4, 2)), np.array([0, 1, 1, 1]), num_classes=2)
    assert model.predict(np.ones((1, 2))).tolist() == [1]
