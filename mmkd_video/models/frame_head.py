"""A head that scores every frame of a clip."""

from collections.abc import Sequence
from typing import Any

import torch
from mmaction.models.heads import BaseHead
from mmengine.model.weight_init import normal_init
from mmengine.structures import BaseDataElement
from torch import Tensor, nn
from torch.nn.functional import interpolate

from mmkd_video.core.checked import Number, Optional, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.models.map_of_clips import expect_map_of_clips

TRUNCATION = 16.0  # of the squared change of a log-probability, as in MS-TCN


@MODELS.register_module()
@checked(
    num_classes=Whole(1),
    in_channels=Whole(1),
    num_frames=Optional(Whole(1), 'all frames of a sample are one clip'),
    smoothing=Number(0),
    dropout_ratio=Number(0, 1, below=True),
    init_std=Number(0, above=True),
)
class FrameHead(BaseHead):
    """A linear classifier of every frame, averaged over its places: temporal segmentation.

    A head for ``Recognizer2D`` and ``Recognizer3D``. Time is kept; where a backbone has fewer times than the clip has
    frames, its features are interpolated. The label of a clip is the class of each frame ``(T,)``, -1 for none, which
    ``LoadFrameLabels`` reads. Beside the cross entropy it learns by the truncated mean square of how log-probabilities
    change from frame to frame, against segments in pieces (MS-TCN, https://arxiv.org/abs/1903.01945). Terms read its
    class scores at ``logits``, as tokens ``(N, T, K)``; for losses of class scores every frame is a row.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of the feature that is read.
        num_frames: Frames T of a clip. A ``Recognizer3D`` needs it where its backbone halves time.
        smoothing: Weight of the truncated mean square; 0.15 in MS-TCN.
        dropout_ratio: Share of the classifier's inputs that are dropped in training.
        init_std: Standard deviation of the classifier's first weights.
        **kwargs: Those of ``BaseHead``.
    """

    scores_frames = True

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        num_frames: int | None = None,
        smoothing: float = 0.15,
        dropout_ratio: float = 0.0,
        init_std: float = 0.01,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        if self.multi_class:
            raise WrongValueError('FrameHead.multi_class: got True; a frame has one class, expected False')
        self.num_frames, self.smoothing, self.init_std = num_frames, smoothing, init_std
        self.dropout = nn.Dropout(dropout_ratio)
        self.fc_cls = nn.Linear(in_channels, num_classes)

    def init_weights(self) -> None:
        """Initialise the classifier."""
        normal_init(self.fc_cls, std=self.init_std)

    def forward(self, x: Tensor, num_segs: int | None = None, **kwargs: Any) -> Tensor:
        """Return the class scores ``(N, T, K)`` of all frames of clips.

        Args:
            x: Maps of clips ``(N, C, T', H, W)``, or of their frames in a row ``(N * T, C, H, W)``.
            num_segs: Frames of a sample, of which a ``Recognizer2D`` speaks.
            **kwargs: Keywords that recognizers hand to heads, which are not used.

        Raises:
            ValueError: It has other channels than expected, or is no map.
        """
        expect_map_of_clips(x, self.in_channels, 'FrameHead')
        if x.ndim == 4:
            frames = x.mean(dim=(2, 3)).unflatten(0, (-1, self.num_frames or num_segs or 1))
        else:
            times = x.mean(dim=(3, 4))
            if self.num_frames and times.shape[2] != self.num_frames:
                times = interpolate(times, size=self.num_frames, mode='linear')
            frames = times.transpose(1, 2)
        return self.fc_cls(self.dropout(frames))

    def loss_by_feat(self, cls_scores: Tensor, data_samples: Sequence[BaseDataElement]) -> dict[str, Tensor]:
        """Return cross entropy and accuracy of the labelled frames, and the truncated mean square of all.

        Args:
            cls_scores: ``(N, T, K)``.
            data_samples: Samples with the class of each frame as ``gt_label``, ``(T,)``.

        Raises:
            ValueError: A sample has another number of labels than frames.
        """
        wrong = next((each for each in data_samples if each.gt_label.numel() != cls_scores.shape[1]), None)
        if wrong is not None:
            raise WrongValueError(
                f'FrameHead: got {wrong.gt_label.numel()} labels of a clip of {cls_scores.shape[1]} frames; expected '
                'one for each: put LoadFrameLabels behind SampleFrames, or set num_frames to the length of its clips'
            )
        labels = torch.stack([each.gt_label for each in data_samples]).to(cls_scores.device).flatten()
        scores, known = cls_scores.flatten(0, 1), labels >= 0
        if not known.any():
            return {'loss_cls': cls_scores.sum() * 0.0}
        right = (scores[known].argmax(dim=1) == labels[known]).float().mean()
        losses = {'top1_acc': right.detach(), 'loss_cls': self.loss_cls(scores[known], labels[known])}
        if self.smoothing and cls_scores.shape[1] > 1:
            log = cls_scores.log_softmax(dim=-1)
            change = (log[:, 1:] - log[:, :-1].detach()).square().clamp(max=TRUNCATION)
            losses['loss_smooth'] = self.smoothing * change.mean()
        return losses

    def predict_by_feat(self, cls_scores: Tensor, data_samples: Sequence[BaseDataElement]) -> Sequence:
        """Return the samples with probabilities ``(T, K)`` as ``pred_score`` and classes ``(T,)`` as ``pred_label``.

        Several clips of a sample follow each other in time.

        Args:
            cls_scores: ``(N, T, K)``, N a multiple of the number of samples.
            data_samples: The samples; they are filled in.
        """
        scores = cls_scores.reshape(len(data_samples), -1, cls_scores.shape[-1]).softmax(dim=-1)
        for sample, rows in zip(data_samples, scores, strict=True):
            sample.set_field(rows, 'pred_score')
            sample.set_pred_label(rows.argmax(dim=-1))
        return data_samples
