"""Logistic regression for a few hundred descriptors."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


class LogisticRegression:
    """A linear classifier with a squared penalty, fitted to the optimum: the same result every time.

    Features are centred, and divided by one scale for all, so that those which hardly vary stay small.

    Args:
        penalty: Penalty on the weights, at least 0.
    """

    def __init__(self, penalty: float = 0.01) -> None:
        self.penalty = penalty

    def fit(self, features: np.ndarray, labels: np.ndarray, num_classes: int) -> 'LogisticRegression':
        """Fit the weights.

        Args:
            features: ``(N, D)``.
            labels: ``(N,)`` class indices.
            num_classes: Number of classes.
        """
        self._centre, self._scale = features.mean(0), max(float((features - features.mean(0)).std()), 1e-12)
        inputs, target = self._prepare(features), torch.from_numpy(labels)
        self._weight = torch.zeros(features.shape[1], num_classes, dtype=torch.float64, requires_grad=True)
        self._bias = torch.zeros(num_classes, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS(
            [self._weight, self._bias], max_iter=500, tolerance_grad=1e-6, line_search_fn='strong_wolfe'
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            scores = inputs @ self._weight + self._bias
            loss = F.cross_entropy(scores, target) + 0.5 * self.penalty * self._weight.square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the most probable class of each row ``(N, D)``."""
        with torch.no_grad():
            return (self._prepare(features) @ self._weight + self._bias).argmax(1).numpy()

    def _prepare(self, features: np.ndarray) -> Tensor:
        return torch.from_numpy((features - self._centre) / self._scale)
