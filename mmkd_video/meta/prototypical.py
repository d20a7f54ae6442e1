"""Prototypical networks: a feature in which the clips of a class lie around their mean."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from mmkd_video.core.checked import Number, OneOf, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.datasets import EpisodeShape
from mmkd_video.functional import prototype_scores, prototypes
from mmkd_video.meta.algorithm import STATISTICS, MetaAlgorithm, Outcome
from mmkd_video.meta.episode import Episode, joined
from mmkd_video.meta.learner import Learner


@TASK_UTILS.register_module()
@checked(distance=OneOf('euclidean', 'cosine'), scale=Number(0, above=True), test_statistics=STATISTICS)
class ProtoNet(MetaAlgorithm):
    """Classify queries by their distance to the mean feature of each class of the support.

    Source: Snell, Swersky and Zemel, NeurIPS 2017 (https://arxiv.org/abs/1703.05175). The feature is what the student's
    classifier reads (the tap ``pooled``); the classifier itself is not trained and may have any number of classes.
    Support and queries are one pass, whose statistics batch norms use in training and move the running ones by. The
    terms of a distiller compare all these clips; the student's own losses are left out, so a term needs a weight.

    Args:
        distance: ``'euclidean'``: the squared distance of the paper; ``'cosine'``: the angle.
        scale: Factor of the scores before the softmax; with ``'cosine'`` some 10, as scores are at most 1.
        test_statistics: Statistics of batch norms in tests: ``'running'``, so that each query is judged by itself, or
            ``'batch'``.

    Raises:
        ValueError: A setting is out of its range.
    """

    needs_head = False

    def __init__(self, distance: str = 'euclidean', scale: float = 1.0, test_statistics: str = 'running') -> None:
        super().__init__(test_statistics)
        self.distance, self.scale = distance, scale

    def check(self, learner: Learner, shape: EpisodeShape) -> None:
        """See :meth:`MetaAlgorithm.check`; a balanced term would be measured against a loss that is left out.

        Args:
            learner: The student.
            shape: Shape of the episodes.

        Raises:
            ValueError: A term has no weight of its own.
        """
        super().check(learner, shape)
        for name, term in learner.model.training_state.terms.items() if learner.has_teacher else ():
            if term.weighting is not None and term.weighting.share > 0:
                raise WrongValueError(
                    f'terms: {name!r} is balanced against the losses of the classifier, which ProtoNet leaves out; '
                    'expected a weight, such as weight=1.0'
                )

    def train(self, learner: Learner, episode: Episode) -> Outcome:
        """See :meth:`MetaAlgorithm.train`.

        Args:
            learner: The student, with its teachers.
            episode: The episode.
        """
        clips = learner.prepare(joined(episode.support, episode.query), True)
        features, losses = learner.pooled(clips, terms=True)
        scores, labels = self._scores(features.float(), episode)
        right = (scores.argmax(dim=1) == labels).float().mean()
        found = {'loss_prototypes': cross_entropy(scores, labels), 'query_top1': right, **losses}
        objective, logged = learner.objective(found)
        return Outcome(objective, logged)

    def test(self, learner: Learner, episode: Episode) -> Tensor:
        """See :meth:`MetaAlgorithm.test`.

        Args:
            learner: The student.
            episode: The episode.
        """
        with torch.no_grad():
            parts = [learner.prepare(part, False) for part in (episode.support, episode.query)]
            features = torch.cat([learner.pooled(part)[0] for part in parts]).float()
            return self._scores(features, episode)[0]

    def _scores(self, features: Tensor, episode: Episode) -> tuple[Tensor, Tensor]:
        """Return the scores of the queries and their labels."""
        samples = [*episode.support['data_samples'], *episode.query['data_samples']]
        labels = torch.cat([sample.gt_label for sample in samples]).to(features.device)
        known = len(episode.support['data_samples'])
        centres = prototypes(features[:known], labels[:known], len(episode.classes))
        return self.scale * prototype_scores(features[known:], centres, self.distance), labels[known:]
