"""Training in bfloat16 fails with ``TypeError: Got unsupported ScalarType BFloat16``.

Cause: MMAction2's heads hand the class scores to numpy for the top-k accuracy, and numpy has no bfloat16.

Fix: scores in bfloat16 become float32 before the head computes loss, accuracy and predictions; every other dtype is
passed on as it is. The loss is computed in float32 under autocast anyway.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from mmkd_video.compat.patching import after_import, wrap

# (module, class, methods whose first argument is a score tensor)
HEADS = (
    ('mmaction.models.heads.base', 'BaseHead', ('loss_by_feat', 'predict_by_feat')),
    ('mmaction.models.heads.omni_head', 'OmniHead', ('loss_by_feat',)),
    ('mmaction.models.heads.rgbpose_head', 'RGBPoseHead', ('loss_by_scores',)),
)


def _in_float32(method: Callable) -> Callable:
    import torch

    def patched(self: Any, cls_scores: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(cls_scores, torch.Tensor) and cls_scores.dtype == torch.bfloat16:
            cls_scores = cls_scores.float()
        return method(self, cls_scores, *args, **kwargs)

    return patched


def _patch(module: ModuleType) -> None:
    for name, head, methods in HEADS:
        if name == module.__name__:
            for method in methods:
                wrap(getattr(module, head), method, _in_float32)


def applies() -> bool:
    """Return whether a bfloat16 tensor cannot become a numpy array here."""
    import torch

    try:
        torch.zeros(1, dtype=torch.bfloat16).numpy()
    except TypeError:
        return True
    return False


def apply() -> None:
    """Wrap the heads' methods when MMAction2's heads are imported."""
    for name, _, _ in HEADS:
        after_import(name, _patch)
