"""Whether a clip has a label, noted while labels still lie on the host."""

from collections.abc import Sequence

from mmengine.structures import BaseDataElement

NOTE = 'labelled'


def note_labels(samples: Sequence[BaseDataElement]) -> None:
    """Note on every sample of a batch whether it has a label, so that no step has to wait for an accelerator.

    Args:
        samples: Data samples before they go to the device.
    """
    for sample in samples:
        sample.set_metainfo({NOTE: has_label(sample)})


def has_label(sample: BaseDataElement) -> bool:
    """Return whether a sample has a label: a class index of at least 0, or soft labels.

    Args:
        sample: A data sample, with the note or without.
    """
    noted = sample.metainfo.get(NOTE)
    if noted is not None:
        return noted
    if 'gt_label' not in sample:
        return False
    return sample.gt_label.numel() != 1 or sample.gt_label.is_floating_point() or int(sample.gt_label) >= 0
