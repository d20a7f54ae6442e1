"""How well clips find others of their class by their embeddings."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor
from torch.nn.functional import normalize

from mmkd_video.core.checked import ListOf, OneOf, Text, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import METRICS
from mmkd_video.functional import average_precision, recall_at

QUERIES = 256  # at once: similarities of so many clips to all others are in memory


@METRICS.register_module()
@checked(topk=ListOf(Whole(1), least=1), key=Text('a field of the predictions'), collect_device=OneOf('cpu', 'gpu'))
class ClipRetrieval(BaseMetric):
    """Recall among the k nearest clips, and mean average precision, by the cosine between embeddings.

    Every clip of the set asks for others of its class among all other clips (leave one out); a clip of several labels
    asks for any that shares one. Reports, each from 0 to 1 and averaged over clips that have another one to find,

    * ``retrieval/recall@1``, ``recall@5``, ``recall@10``: the share of clips with a right one among the k nearest, as
      in metric learning (https://arxiv.org/abs/1511.06452);
    * ``retrieval/mean_average_precision``: the mean of the average precision of the whole ranking.

    Args:
        topk: Numbers k.
        key: Field of the predictions that holds the embedding ``(E,)``, or ``(clips, E)``, which is averaged:
            ``'embedding'`` of an ``EmbeddingHead``, or ``'pred_score'`` of any head.
        collect_device: Device on which the results of all ranks meet, ``'cpu'`` or ``'gpu'``.
        collect_dir: Folder they meet in, when on ``'cpu'``.
    """

    default_prefix = 'retrieval'

    def __init__(
        self,
        topk: Sequence[int] = (1, 5, 10),
        key: str = 'embedding',
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, collect_dir=collect_dir)
        self.topk, self.key = tuple(topk), key

    def process(self, data_batch: Any, data_samples: Sequence[Mapping]) -> None:
        """Keep the embeddings and labels of one batch.

        Args:
            data_batch: The batch; not used.
            data_samples: Dicts with the embedding and ``gt_label``.

        Raises:
            ValueError: They hold no such embedding.
        """
        for sample in data_samples:
            found = sample.get(self.key)
            if not isinstance(found, Tensor) or found.ndim not in (1, 2):
                got = f'{tuple(found.shape)}' if isinstance(found, Tensor) else type(found).__name__
                raise WrongValueError(
                    f'ClipRetrieval.key: got {got} as {self.key!r} of a prediction; expected an embedding (E,): take '
                    "cls_head=dict(type='EmbeddingHead', ...), or key='pred_score'"
                )
            vector = torch.atleast_2d(found.detach().float().cpu()).mean(dim=0)
            label = sample['gt_label'].detach().cpu().reshape(-1)
            self.results.append((vector, label))

    def compute_metrics(self, results: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Return the metrics.

        Args:
            results: Embedding ``(E,)`` and label of each clip: an index ``(1,)``, negative for none, or a value for
                each class ``(K,)``.
        """
        vectors = normalize(torch.stack([vector for vector, _ in results]), dim=1)
        same = _same_label([label for _, label in results])
        recalls: dict[int, list[Tensor]] = {k: [] for k in self.topk}
        precisions = []
        for start in range(0, len(vectors), QUERIES):
            rows = torch.arange(start, min(start + QUERIES, len(vectors)))
            similarity = vectors[rows] @ vectors.T
            similarity[torch.arange(len(rows)), rows] = -torch.inf  # itself, last and left out
            order = similarity.argsort(dim=1, descending=True, stable=True)[:, :-1]
            relevant = same(rows).gather(1, order)
            relevant = relevant[relevant.any(dim=1)]
            precisions.append(average_precision(relevant))
            for k in self.topk:
                recalls[k].append(recall_at(relevant, k))
        if not sum(map(len, precisions)):
            print_log('no retrieval is reported: no clip has another one of its class', logger='current')
            return {}
        found = {f'recall@{k}': float(torch.cat(each).double().mean()) for k, each in recalls.items()}
        return {**found, 'mean_average_precision': float(torch.cat(precisions).mean())}


def _same_label(labels: Sequence[Tensor]) -> Any:
    """Return a function of rows that says which clips have a label in common with each of them, ``(Q, N)`` bool."""
    if all(label.numel() == 1 for label in labels):
        single = torch.cat(labels)
        return lambda rows: (single[rows, None] == single) & (single[rows, None] >= 0)
    several = torch.stack(list(labels)).double()
    return lambda rows: several[rows] @ several.T > 0
