"""Clips without a label, which take part in terms, not in the student's own losses."""

from collections.abc import Sequence

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmkd_video.views import has_label


def labelled_rows(samples: Sequence[BaseDataElement]) -> list[int] | None:
    """Return which samples of a batch have a label; None where all have.

    Args:
        samples: The batch's data samples; the data preprocessor has noted on them whether they have one.
    """
    rows = [row for row, sample in enumerate(samples) if has_label(sample)]
    return None if len(rows) == len(samples) else rows


def stack_labels(samples: Sequence[BaseDataElement], device: torch.device) -> Tensor | None:
    """Return the labels of a batch.

    Args:
        samples: The batch's data samples.
        device: Device on which the labels are wanted.

    Returns:
        ``(N,)`` class indices, -1 where there is none; ``(N, K)`` soft labels, rows of zeros where there is none;
        ``(N, T)`` class indices of frames; None where no sample has any.
    """
    labels = [sample.gt_label if 'gt_label' in sample else None for sample in samples]
    known = next((label for label in labels if label is not None), None)
    if known is None:
        return None
    none = torch.full_like(known, -1 if known.numel() == 1 else 0)
    stacked = torch.stack([none if label is None else label for label in labels]).to(device)
    return stacked.squeeze(1) if stacked.ndim == 2 and stacked.shape[1] == 1 else stacked


def stack_domains(samples: Sequence[BaseDataElement]) -> Tensor | None:
    """Return the domain ``(N,)`` of each sample, 0 for the source and 1 for the target, on the host.

    None where one is not known; a ``MixedVideoDataset`` with a second list notes it.
    """
    domains = [sample.metainfo.get('domain') for sample in samples]
    return None if any(domain is None for domain in domains) else torch.tensor(domains)


def stack_indices(samples: Sequence[BaseDataElement], device: torch.device) -> Tensor | None:
    """Return the index ``(N,)`` of each sample in its training set, or None where one is missing.

    They stay on the host, where a loss can see whether they are in its range without waiting for ``device``.
    """
    indices = [sample.metainfo.get('sample_idx') for sample in samples]
    if any(index is None for index in indices):
        return None
    return torch.tensor(indices, pin_memory=device.type == 'cuda')
