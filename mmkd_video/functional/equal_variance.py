"""Rotations after which every dimension of a distribution has the same variance: PHI-S."""

import math

import torch
from torch import Tensor


def hadamard(size: int) -> Tensor | None:
    """Return a Hadamard matrix, or None where none of the constructions below gives one.

    Sylvester's doubling, and Paley's two constructions from the squares modulo a prime. The sizes up to 48 are 1, 2 and
    all multiples of 4; 52 is the first multiple of 4 without one here.

    Args:
        size: C.

    Returns:
        ``(C, C)`` of +1 and -1 with orthogonal rows, float64.
    """
    if size in (1, 2):
        return torch.tensor([[1.0]] if size == 1 else [[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
    if size < 1 or size % 4:
        return None
    if (smaller := hadamard(size // 2)) is not None:
        return torch.kron(hadamard(2), smaller)
    if _is_prime(size - 1):  # which is 3 modulo 4
        skew = torch.zeros(size, size, dtype=torch.float64)
        skew[0, 1:], skew[1:, 0], skew[1:, 1:] = 1, -1, _jacobsthal(size - 1)
        return skew + torch.eye(size, dtype=torch.float64)
    prime = size // 2 - 1
    if prime % 4 == 1 and _is_prime(prime):
        symmetric = torch.zeros(prime + 1, prime + 1, dtype=torch.float64)
        symmetric[0, 1:], symmetric[1:, 0], symmetric[1:, 1:] = 1, 1, _jacobsthal(prime)
        ones, other = hadamard(2), torch.tensor([[1.0, -1.0], [-1.0, -1.0]], dtype=torch.float64)
        return torch.kron(symmetric, ones) + torch.kron(torch.eye(prime + 1, dtype=torch.float64), other)
    return None


def equal_variance_rotation(covariance: Tensor) -> tuple[Tensor, float]:
    """Return a rotation after which all dimensions have the same variance, and the root of that variance.

    ``R = H U^T``: the eigenbasis U of the covariance, then an orthonormal matrix H whose entries are of one size, so
    that each new dimension takes an equal part of every eigenvalue. Where there is a Hadamard matrix, H is that over
    the root of C, and the entries are exactly of one size. For other C it is the real Fourier (Hartley) matrix, whose
    entries nearly are, and then at most C - 1 plane rotations, each of which gives one dimension the mean variance.
    Source: Ranzinger et al., PHI-S: Distribution Balancing for Label-Free Multi-Teacher Distillation
    (https://arxiv.org/abs/2410.01680); for sizes without a Hadamard matrix the construction is ours.

    Args:
        covariance: ``(C, C)``, symmetric.

    Returns:
        ``(C, C)`` float64 rotation, rows new dimensions; and the standard deviation of each new dimension.
    """
    values, vectors = torch.linalg.eigh(covariance.double())
    values = values.clamp(min=0)
    size = len(values)
    known = hadamard(size)
    turn = known / math.sqrt(size) if known is not None else _leveled(_hartley(size), values)
    return turn @ vectors.T, math.sqrt(float(values.mean()))


def _hartley(size: int) -> Tensor:
    places = torch.arange(size, dtype=torch.float64)
    angles = 2 * math.pi * torch.outer(places, places) / size
    return (angles.cos() + angles.sin()) / math.sqrt(size)


def _leveled(turn: Tensor, values: Tensor) -> Tensor:
    """Turn pairs of rows until each row takes the mean of the values."""
    mean, turn = float(values.mean()), turn.clone()
    spread = turn @ (values.unsqueeze(1) * turn.T)  # the covariance after the turn
    for _ in range(len(values) - 1):
        level = spread.diagonal() - mean
        low, high = int(level.argmin()), int(level.argmax())
        if level[low] >= -1e-14 * mean or level[high] <= 1e-14 * mean:
            break
        both = float(spread[low, high])
        # the angle at which row `low` gets the mean: (high) t^2 + 2 both t + (low) = 0
        root = math.sqrt(both * both - float(level[low]) * float(level[high]))
        tangent = (-both + math.copysign(root, -both)) / float(level[high])
        tangent = float(level[low]) / float(level[high]) / tangent if abs(tangent) > 1 else tangent
        cosine = 1 / math.hypot(1.0, tangent)
        plane = torch.tensor([[cosine, cosine * tangent], [-cosine * tangent, cosine]], dtype=torch.float64)
        rows = [low, high]
        turn[rows] = plane @ turn[rows]
        spread[rows] = plane @ spread[rows]
        spread[:, rows] = spread[:, rows] @ plane.T
    return turn


def _jacobsthal(prime: int) -> Tensor:
    """Return ``Q_ij``: 1 where ``i - j`` is a square modulo the prime, -1 where it is none, 0 on the diagonal."""
    character = torch.full((prime,), -1.0, dtype=torch.float64)
    character[[each * each % prime for each in range(1, prime)]] = 1
    character[0] = 0
    places = torch.arange(prime)
    return character[(places.unsqueeze(1) - places) % prime]


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % each for each in range(2, math.isqrt(number) + 1))
