"""TSM's head for clips and for streams."""

from mmaction.models.heads import TSMHead
from torch import Tensor

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import MODELS
from mmkd_video.models.streaming.running_mean import RunningMean


@MODELS.register_module()
@checked()
class OnlineTSMHead(TSMHead):
    """MMAction2's ``TSMHead``, which also scores a stream: the mean score of the frames so far.

    Of whole clips it gives what ``TSMHead`` gives, from the same weights.

    Args:
        **kwargs: Those of ``TSMHead``.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.running_mean = RunningMean()

    def forward(self, x: Tensor, num_segs: int, **kwargs: object) -> Tensor:
        """Return ``(N, K)`` scores.

        Args:
            x: ``(N * num_segments, C, H, W)``; ``(N, C, H, W)``, one frame of each sample, in a stream.
            num_segs: Frames of a sample, which is not used.
            **kwargs: Others that recognizers give to heads, which are not used.
        """
        if not self.running_mean.streams:
            return super().forward(x, num_segs)
        pooled = (x if self.avg_pool is None else self.avg_pool(x)).flatten(1)
        scores = self.fc_cls(pooled if self.dropout is None else self.dropout(pooled))
        return self.running_mean(scores[:, :, None])[:, :, 0]
