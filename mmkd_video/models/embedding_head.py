"""A head that gives an embedding of a clip, to find others like it."""

from collections.abc import Sequence
from typing import Any

from mmaction.models.heads import BaseHead
from mmengine.model.weight_init import normal_init
from mmengine.structures import BaseDataElement
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmkd_video.core.checked import Number, Optional, Whole, checked
from mmkd_video.core.registry import MODELS
from mmkd_video.models.map_of_clips import expect_map_of_clips


@MODELS.register_module()
@checked(
    num_classes=Whole(1),
    in_channels=Whole(1),
    embedding_size=Whole(1),
    scale=Number(0, above=True),
    init_std=Number(0, above=True),
    num_segments=Optional(Whole(1), 'all frames of a sample are one clip'),
)
class EmbeddingHead(BaseHead):
    """A linear layer that gives an embedding, and a classifier of its direction, from which it learns.

    A head for ``Recognizer2D`` and ``Recognizer3D``. The classifier reads the embedding at a fixed length, so that
    clips of one class point the same way and their cosine says how alike they are (L2-constrained softmax,
    https://arxiv.org/abs/1703.09507). Predictions hold the embedding at length 1 as ``embedding``, ``(E,)``, beside the
    class scores; ``ClipRetrieval`` reads it. Terms read it at ``cls_head.embedding``, before its length is fixed.

    Args:
        num_classes: Number of classes it learns from.
        in_channels: Channels of the feature that is read.
        embedding_size: Length E of the embedding.
        scale: Length at which the classifier reads it; at least the logarithm of the number of classes.
        init_std: Standard deviation of the classifier's first weights.
        num_segments: Frames of a clip where samples of a ``Recognizer2D`` hold several clips or crops; by default all
            are one clip.
        **kwargs: Those of ``BaseHead``.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        embedding_size: int = 128,
        scale: float = 8.0,
        init_std: float = 0.1,
        num_segments: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        self.scale, self.init_std, self.num_segments = scale, init_std, num_segments
        self.embedding = nn.Linear(in_channels, embedding_size)
        self.fc_cls = nn.Linear(embedding_size, num_classes)

    def init_weights(self) -> None:
        """Initialise the classifier; torch has initialised the embedding."""
        normal_init(self.fc_cls, std=self.init_std)

    def embed(self, x: Tensor, num_segs: int | None = None, **kwargs: Any) -> Tensor:
        """Return the embeddings ``(N, E)`` of clips, each of length 1.

        Args:
            x: Maps of clips ``(N, C, T, H, W)``, or of their frames in a row ``(N * T, C, H, W)``.
            num_segs: Frames of a sample, of which a ``Recognizer2D`` speaks.
            **kwargs: Keywords that recognizers hand to heads, which are not used.

        Raises:
            ValueError: It has other channels than expected, or is no map.
        """
        expect_map_of_clips(x, self.in_channels, 'EmbeddingHead')
        pooled = x.flatten(2).mean(dim=2)
        if x.ndim == 4:
            pooled = pooled.unflatten(0, (-1, self.num_segments or num_segs or 1)).mean(dim=1)
        return normalize(self.embedding(pooled), dim=1)

    def forward(self, x: Tensor, num_segs: int | None = None, **kwargs: Any) -> Tensor:
        """Return the class scores ``(N, K)`` of clips.

        Args:
            x: Maps of clips or of their frames, see :meth:`embed`.
            num_segs: Frames of a sample, see :meth:`embed`.
            **kwargs: Keywords that recognizers hand to heads, which are not used.
        """
        return self.fc_cls(self.scale * self.embed(x, num_segs))

    def predict(self, feats: Tensor, data_samples: Sequence[BaseDataElement], **kwargs: Any) -> Sequence:
        """Return the samples with class scores, and with ``embedding``, the mean over a sample's clips at length 1.

        Args:
            feats: Maps of clips or of their frames, see :meth:`embed`.
            data_samples: The samples; they are filled in.
            **kwargs: Keywords that recognizers hand to heads.
        """
        vectors = self.embed(feats, **kwargs)
        samples = self.predict_by_feat(self.fc_cls(self.scale * vectors), data_samples)
        of_sample = normalize(vectors.unflatten(0, (len(samples), -1)).mean(dim=1), dim=1)
        for sample, vector in zip(samples, of_sample, strict=True):
            sample.set_field(vector, 'embedding')
        return samples
