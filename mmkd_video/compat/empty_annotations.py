"""An empty annotation file ends in ``ValueError: need at least one array to concatenate``.

Cause: MMEngine's ``BaseDataset`` packs its list of samples with ``np.concatenate``, which takes no empty list. Neither
the file nor the data set is named.

Fix: the list is looked at before it is packed, and the error names the annotation file.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from mmkd_video.compat.mistakes import WrongValueError
from mmkd_video.compat.patching import after_import, wrap


def _named(method: Callable) -> Callable:
    def patched(self: Any) -> Any:
        if not self.data_list:
            raise WrongValueError(
                f'{type(self).__name__}: no samples in annotation file {self.ann_file!r}; expected one line (or entry) '
                'for each sample. Check the file, and `filter_cfg` or `indices` if it is not empty'
            )
        return method(self)

    return patched


def _patch(module: ModuleType) -> None:
    wrap(module.BaseDataset, '_serialize_data', _named)


def applies() -> bool:
    """Return whether an empty list cannot be packed here."""
    import numpy as np

    try:
        np.concatenate([])
    except ValueError:
        return True
    return False


def apply() -> None:
    """Wrap the packing when MMEngine's data sets are imported."""
    after_import('mmengine.dataset.base_dataset', _patch)
