"""What tells a model which views of a sample are there, on its way through data preprocessors."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import MODELS


@MODELS.register_module()
@checked()
class ViewPresence(nn.Module):
    """Stack the masks of a batch; it stands among the preprocessors of the views, and does as they do."""

    is_mask = True

    def preprocess(self, masks: Sequence[Tensor], data_samples: list, training: bool = False) -> tuple[Tensor, list]:
        """Return ``(N, V)`` and the samples as they are.

        Args:
            masks: ``(V,)`` for each sample, 1 where a view is there and 0 where it is missing, in the order of
                the names of the views.
            data_samples: The samples.
            training: Whether it is a training step; either way the same is done.
        """
        return torch.stack(list(masks)).float(), data_samples
