"""A recognizer of several views of one sample."""

from collections.abc import Mapping
from typing import Any

from mmaction.models.recognizers import BaseRecognizer
from torch import Tensor

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.view_names import PRESENT


@MODELS.register_module()
@checked()
class MultiViewRecognizer(BaseRecognizer):
    """Score a clip that is seen in several views: other cameras, other crops, or optical flow beside frames.

    A view may be missing, in training and in use; which ones are there stands in the inputs. The pipeline is
    ``MultiView``, the backbone ``MultiViewBackbone``, the neck ``ViewFusion``, the preprocessor
    ``MultiViewDataPreprocessor``, and the head any of 3D recognizers.
    """

    def extract_feat(
        self,
        inputs: Mapping[str, Tensor],
        stage: str = 'neck',
        data_samples: list | None = None,
        test_mode: bool = False,
    ) -> tuple[Any, dict]:
        """Return features, and no keywords for the head.

        Args:
            inputs: Clips ``(N, M, C, T, H, W)`` by view, M of a sample; under ``'present'`` a mask ``(N, V)``, other
                than 0 where a view is there, in the order of their names. Without it all are there.
            stage: ``'backbone'``: maps by view; ``'neck'``: one map ``(N * M, C, T, H, W)``; ``'head'``: class scores
                ``(N * M, K)``.
            data_samples: The samples, which are not used.
            test_mode: Whether it is a test; either way the same is done.
        """
        clips = {name: each.flatten(0, 1) for name, each in inputs.items() if name != PRESENT}
        first = next(iter(clips.values()))
        present = inputs.get(PRESENT)
        if present is None:
            present = first.new_ones(len(first), len(clips))
        maps, used = self.backbone(clips, present.repeat_interleave(len(first) // len(present), dim=0))
        if stage == 'backbone':
            return maps, {}
        fused, _ = self.neck(maps, used)
        return (self.cls_head(fused) if stage == 'head' else fused), {}
