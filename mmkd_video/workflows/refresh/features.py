"""The feature that a student's classifier reads of each clip of a list."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import DATASETS
from mmkd_video.recognizers.families import CLASSIFIER, classifier_of
from mmkd_video.recognizers.plain_student import without_views
from mmkd_video.taps.feature_reader import FeatureReader
from mmkd_video.workflows.refresh.lists import reading


def linear_classifier(model: nn.Module) -> nn.Linear:
    """Return the linear layer that ends a student's head.

    Args:
        model: A recognizer.

    Raises:
        ValueError: It ends in something else.
    """
    found = classifier_of(model.cls_head)
    if found is None:
        raise WrongValueError(
            f'refresh: the head {type(model.cls_head).__name__} has no linear layer {CLASSIFIER}; expected '
            "selection='random' and head='linear', which need none"
        )
    return found


@torch.no_grad()
def pooled_features(model: nn.Module, config: Config, path: Path) -> tuple[Tensor, Tensor]:
    """Return the feature of each clip of a list, as the classifier reads it, and its label.

    Clips are seen as in validation; several views of a clip are averaged.

    Args:
        model: The student; it is left in eval mode on this process's device.
        config: Config whose validation, or else its test, says how clips are seen.
        path: List of the clips.

    Returns:
        ``(N, C)`` float32 and ``(N,)``, on the CPU.

    Raises:
        ValueError: The head does not end in one linear layer of the pooled feature.
    """
    model.to(get_device()).eval()
    classifier = linear_classifier(model)
    loader = without_views(config.get('val_dataloader') or config.test_dataloader)
    dataset = DATASETS.build({**reading(loader, path)['dataset'], 'test_mode': True})
    batches = DataLoader(
        dataset, loader.get('batch_size', 1), num_workers=loader.get('num_workers', 0), collate_fn=pseudo_collate
    )
    reader = FeatureReader(model, ['pooled', 'logits'], 'student')
    rows, labels = [], []
    for number, batch in enumerate(batches):
        found, count = reader.read(batch), len(batch['data_samples'])
        pooled = found['pooled'].view(count, -1, classifier.in_features)
        if number == 0:
            _expect_linear(model, classifier, pooled, found['logits'].view(count, -1, classifier.out_features))
        rows.append(pooled.mean(dim=1).cpu())
        labels += [int(sample.gt_label.flatten()[0]) for sample in batch['data_samples']]
    return torch.cat(rows), torch.tensor(labels)


def _expect_linear(model: nn.Module, classifier: nn.Linear, pooled: Tensor, scores: Tensor) -> None:
    given = classifier(pooled.to(classifier.weight.dtype)).float()
    if given.shape != scores.shape or not torch.allclose(given, scores, rtol=1e-3, atol=1e-3):
        raise WrongValueError(
            f'refresh: the scores of {type(model.cls_head).__name__} are more than {CLASSIFIER} of its pooled feature; '
            "expected selection='random' and head='linear', which do not ask for it"
        )
