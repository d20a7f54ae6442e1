"""A recognizer as it is shipped: raw frames in, probabilities out."""

import copy
import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongTypeError, WrongValueError
from mmkd_video.quantization.qat import has_quantizers
from mmkd_video.recognizers.families import expect_own_scores, scores_each_class, scores_frames
from mmkd_video.recognizers.reparameterized import reparameterize

LAYOUTS = {'NCHW': 5, 'NCTHW': 6}  # number of dimensions of a batch, see metadata.py
NEEDED = ('extract_feat', 'cls_head', 'data_preprocessor')


class DeployableRecognizer(nn.Module):
    """A recognizer with its preprocessing and the averaging of its clips inside, in eval mode for good.

    It takes frames as the pipeline's ``FormatShape`` leaves them, so whoever runs an exported file needs no mean, no
    channel order and no softmax.

    The probabilities are those of MMAction2's ``predict`` with ``average_clips='prob'``. Where the head averages scores
    (``'score'``) or does not average (None), they are the softmax of the mean score, and the mean of the clips'
    probabilities: the ranking that MMAction2's scores have. A head that scores each class by itself, as for clips of
    several labels, gives the probability of each: a sigmoid in the place of the softmax.

    What is several layers in training and one at inference becomes one: RepVGG, MobileOne, FastViT and RepViT of timm,
    and a module of your own with their methods.

    Args:
        recognizer: ``Recognizer2D``, ``Recognizer3D`` or alike; it is copied and not changed.

    Raises:
        TypeError: It is no recognizer with a classification head.
        ValueError: Its preprocessor lays frames out in a way that is not known here, or its head averages clips by a
            softmax though it scores each class by itself.
    """

    def __init__(self, recognizer: nn.Module) -> None:
        super().__init__()
        missing = [name for name in NEEDED if getattr(recognizer, name, None) is None]
        if missing:
            raise WrongTypeError(
                f'export: {type(recognizer).__name__} has no {", ".join(missing)}; expected a Recognizer2D or '
                'Recognizer3D with a cls_head (of a distillation, its student)'
            )
        if scores_frames(recognizer.cls_head):
            raise WrongTypeError(
                f'export: {type(recognizer.cls_head).__name__} scores every frame, and exported files give one row of '
                'probabilities a clip; test and run such a student in PyTorch'
            )
        preprocessor = recognizer.data_preprocessor
        self.layout = getattr(preprocessor, 'format_shape', None)
        if self.layout not in LAYOUTS:
            raise WrongValueError(
                f'export: data_preprocessor.format_shape: got {self.layout!r}, expected one of {sorted(LAYOUTS)}'
            )
        self.recognizer = copy.deepcopy(recognizer).requires_grad_(False).cpu()
        if (getattr(recognizer, 'test_cfg', None) or {}).get('max_testing_views'):
            # It only splits one sample's clips to save memory, and forbids batches.
            kept = {key: value for key, value in recognizer.test_cfg.items() if key != 'max_testing_views'}
            self.recognizer.test_cfg = type(recognizer.test_cfg)(kept)
        self.average_clips = getattr(recognizer.cls_head, 'average_clips', None)
        self.several_labels = scores_each_class(recognizer.cls_head)
        if self.several_labels:
            expect_own_scores(recognizer.cls_head, 'export: model')
        self.to_rgb = bool(getattr(preprocessor, 'to_rgb', False))
        for name in ('mean', 'std'):
            given = getattr(preprocessor, name, None)
            self.register_buffer(f'_{name}', None if given is None else given.detach().clone().cpu(), persistent=False)
        self.eval()
        if not has_quantizers(self.recognizer):  # they stand between the layers that would become one
            reparameterize(self.recognizer)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return self.recognizer.cls_head.num_classes

    @property
    def architecture(self) -> str:
        """Types of recognizer, backbone and head, such as ``Recognizer2D/MobileNetV2TSM/TSMHead``."""
        parts = (self.recognizer, self.recognizer.backbone, self.recognizer.cls_head)
        return '/'.join(type(part).__name__ for part in parts)

    def train(self, mode: bool = True) -> 'DeployableRecognizer':
        """Stay in eval mode, whoever asks."""
        return super().train(False)

    def forward(self, clips: Tensor) -> Tensor:
        """Classify a batch.

        Args:
            clips: ``(N, M, C, H, W)`` with M = clips x frames for 2D, ``(N, M, C, T, H, W)`` with M = clips for 3D
                recognizers; uint8, or float32 with values of 0 to 255.

        Returns:
            ``(N, K)`` probabilities.
        """
        scores = self._scores(clips)
        if self.average_clips == 'score':
            return self._probabilities(scores.mean(dim=1))
        return self._probabilities(scores).mean(dim=1)

    def log_probabilities(self, clips: Tensor) -> Tensor:
        """Return the logarithms of what :meth:`forward` returns, also where probabilities would round to 0.

        Args:
            clips: ``(N, M, ...)``, as in :meth:`forward`; the result has a gradient with regard to them.

        Returns:
            ``(N, K)``.
        """
        scores = self._scores(clips)
        if self.average_clips == 'score':
            return self._logarithms(scores.mean(dim=1))
        return self._logarithms(scores).logsumexp(dim=1) - math.log(scores.shape[1])

    def _probabilities(self, scores: Tensor) -> Tensor:
        return scores.sigmoid() if self.several_labels else scores.softmax(dim=-1)

    def _logarithms(self, scores: Tensor) -> Tensor:
        return F.logsigmoid(scores) if self.several_labels else scores.log_softmax(dim=-1)

    def _scores(self, clips: Tensor) -> Tensor:
        """Return class scores ``(N, M, K)`` of M clips each."""
        frames = clips.to(torch.float32)
        if self.to_rgb:
            frames = frames.flip(2)
        if self._mean is not None:
            frames = (frames - self._mean) / self._std
        features, arguments = self.recognizer.extract_feat(frames, test_mode=True)
        scores = self.recognizer.cls_head(features, **arguments)
        return scores.reshape(clips.shape[0], -1, scores.shape[-1])

    def predict(self, clips: np.ndarray | Sequence[np.ndarray], batch_size: int = 8) -> np.ndarray:
        """Classify clips in eager PyTorch, as an exported file's runtime does.

        Args:
            clips: ``(N, M, ...)``, as in :meth:`forward`.
            batch_size: Samples at once.

        Returns:
            ``(N, K)`` float32 probabilities.
        """
        with torch.inference_mode():
            starts = range(0, len(clips), batch_size)
            batches = [torch.from_numpy(np.stack(list(clips[start : start + batch_size]))) for start in starts]
            return torch.cat([self(batch) for batch in batches]).numpy()
