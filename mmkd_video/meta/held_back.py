"""Labelled clips that are held back from the training, to judge what it does."""

from collections.abc import Mapping
from typing import Any

from mmengine.runner import Runner
from torch import nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.datasets import SeededDataset
from mmkd_video.datasets.label_check import expect_known_classes, wrong_label
from mmkd_video.datasets.resuming_iterator import ResumingIterator
from mmkd_video.datasets.seeded_loader import seeded_loader


class HeldBack:
    """Batches of clips that are held back; each follows from the run's seed and its number alone.

    Args:
        settings: ``dict(batch_size=..., sampler=..., dataset=...)``, as of ``train_dataloader``.
        key: Its key in a config, for messages.
        runner: The runner, which is not changed.
        student: The student, which has a class for each label.

    Raises:
        ValueError: There are no clips, or a label that the student has no class for.
    """

    def __init__(self, settings: Mapping, key: str, runner: Runner, student: nn.Module) -> None:
        given = dict({'sampler': {'type': 'DefaultSampler', 'shuffle': True}, 'num_workers': 0}, **settings)
        loader = runner.build_dataloader(given, seed=runner.seed)
        if not len(loader.dataset) or not len(loader):
            raise WrongValueError(
                f'{key}: got {len(loader.dataset)} clips, which make no batch; expected at least one batch'
            )
        expect_known_classes(loader.dataset, student, labelled=True)
        self.key, self._student = key, student
        self._loader = seeded_loader(loader, SeededDataset(loader.dataset, runner.seed))
        self._batches: ResumingIterator | None = None
        self._next = 0

    def batch(self, number: int) -> dict[str, Any]:
        """Return a batch, as the loader gives it; one after the other costs least.

        Args:
            number: Its number, from 0.

        Raises:
            ValueError: A clip has no label.
        """
        if self._batches is None or number != self._next:
            self._batches = ResumingIterator(self._loader, number)
            for _ in range(number):
                next(self._batches)
        self._next = number + 1
        found = next(self._batches)
        wrong = wrong_label(found['data_samples'], self._student, labelled=True)
        if wrong:
            raise WrongValueError(f'{self.key}: {wrong}')
        return found
