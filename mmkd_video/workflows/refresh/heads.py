"""Classifiers of a refreshed student that do not prefer its new classes."""

import io
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.functional import aligned_classifier, nearest_mean_classifier
from mmkd_video.workflows.deploy.student import StudentCheckpoint
from mmkd_video.workflows.refresh.features import linear_classifier


def write_head(
    kind: str,
    trained: StudentCheckpoint,
    config: Config,
    known: int,
    features: Callable[[nn.Module], tuple[Tensor, Tensor]],
    target: Path,
) -> None:
    """Write a checkpoint with another classifier; all other weights stay as they were trained.

    Args:
        kind: ``'balanced'`` or ``'nearest_mean'``.
        trained: The refreshed student as it was trained.
        config: Its config.
        known: Number of its old classes.
        features: Function that returns what a model's classifier reads of the training clips, ``(N, C)``, and their
            labels ``(N,)``; called for ``'nearest_mean'``.
        target: File to write.

    Raises:
        ValueError: The head does not end in one linear layer.
    """
    model = trained.build(config)
    classifier = linear_classifier(model)
    weight = classifier.weight.detach()
    bias = torch.zeros_like(weight[:, 0]) if classifier.bias is None else classifier.bias.detach()
    if kind == 'balanced':
        weight, bias = aligned_classifier(weight, bias, known)
    else:
        length = weight.norm(dim=1).mean()
        weight, bias = nearest_mean_classifier(*features(model), length.cpu())
    name = next(name for name, module in model.named_modules() if module is classifier)
    weights = dict(trained.weights)
    weights[f'{name}.weight'] = weight.cpu()
    if classifier.bias is not None:
        weights[f'{name}.bias'] = bias.cpu()
    content = io.BytesIO()
    torch.save(dict(meta=dict(trained.meta), state_dict=weights), content)
    write_atomically(content.getvalue(), target)
