"""Probes with all learning rates and weight decays, trained at once."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmkd_video.core.registry import MODELS

WARMUP = 0.05  # share of the steps


@dataclass(frozen=True)
class Point:
    """A place in the grid.

    Attributes:
        learning_rate: Largest learning rate.
        weight_decay: Weight decay; of matrices alone.
    """

    learning_rate: float
    weight_decay: float


class ProbeGrid:
    """One probe for each learning rate and weight decay, all from the same start, on the same tokens.

    No probe reaches another: each has parameters and an AdamW of its own, and one whose loss becomes infinite leaves
    the others as they are. The rate rises in the first twentieth of the steps and falls along a cosine to zero.

    Args:
        kind: Registered name of the probe.
        channels: Number C of channels of a token.
        num_classes: Number K of classes.
        points: Learning rates and weight decays.
        seed: Number that their common start follows from.
    """

    def __init__(self, kind: str, channels: int, num_classes: int, points: Sequence[Point], seed: int) -> None:
        self.points = list(points)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            first = MODELS.build(dict(type=kind, channels=channels, num_classes=num_classes))
        self.probes = nn.ModuleList(copy.deepcopy(first) for _ in self.points)
        self.optimizer = torch.optim.AdamW(self._groups(), lr=0.0)

    def _groups(self) -> list[dict]:
        groups = []
        for point, probe in zip(self.points, self.probes, strict=True):
            matrices = [each for each in probe.parameters() if each.ndim > 1]
            others = [each for each in probe.parameters() if each.ndim < 2]
            groups += [
                dict(params=matrices, weight_decay=point.weight_decay, largest=point.learning_rate),
                dict(params=others, weight_decay=0.0, largest=point.learning_rate),
            ]
        return groups

    def step(self, tokens: Tensor, labels: Tensor, share: float) -> Tensor:
        """Take one step with all probes.

        Args:
            tokens: ``(N, L, C)``.
            labels: ``(N,)``.
            share: Part of the training that is done, 0 to 1.

        Returns:
            Loss of each probe, ``(P,)``.
        """
        for group in self.optimizer.param_groups:
            group['lr'] = group['largest'] * factor_at(share)
        losses = torch.stack([F.cross_entropy(probe(tokens), labels) for probe in self.probes])
        self.optimizer.zero_grad()
        losses.sum().backward()
        self.optimizer.step()
        return losses.detach()

    @torch.no_grad()
    def scores(self, tokens: Tensor) -> Tensor:
        """Return the class scores of all probes, ``(P, N, K)``.

        Args:
            tokens: ``(N, L, C)``.
        """
        return torch.stack([probe(tokens) for probe in self.probes])

    def state_dict(self) -> dict:
        """Return all that goes on after an interruption."""
        return dict(probes=self.probes.state_dict(), optimizer=self.optimizer.state_dict())

    def load_state_dict(self, state: dict) -> None:
        """Go on from a state.

        Args:
            state: Result of :meth:`state_dict`.
        """
        self.probes.load_state_dict(state['probes'])
        self.optimizer.load_state_dict(state['optimizer'])


def factor_at(share: float) -> float:
    """Return the factor on the learning rate at a share of the training.

    Args:
        share: Part of the training that is done, 0 to 1.
    """
    if share < WARMUP:
        return (share + 1e-3) / (WARMUP + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * (share - WARMUP) / (1 - WARMUP)))
