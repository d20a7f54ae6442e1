"""The clips that a probe is trained and chosen on, as the encoder sees them."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch import Tensor
from torch.utils.data import DataLoader

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import DATASETS
from mmkd_video.core.replay import Replay
from mmkd_video.datasets import SampleKey, SeededDataset, build_replayed
from mmkd_video.recognizers.pipelines import pipeline_of_loader, type_name, validation_pipeline
from mmkd_video.teachers import FrozenTeacher
from mmkd_video.teachers.probe_file import as_tokens


class ProbeClips:
    """What an encoder gives for the clips of a config: those of the training, and those of the validation.

    A training clip is seen as the distillation shows it to the teacher, thus through ``DistillViews``; its augmentation
    follows from seed, epoch and sample, so that a training can go on anywhere. A validation clip is seen through the
    encoder's own pipeline. No test clip is looked at.

    Args:
        config: Config of the distillation.
        name: Name of the teacher.
        encoder: The encoder.
        tap: Place in it that is read.
        seed: Number that order and augmentations follow from.
        epochs: Number of passes over the training clips.
        batch_size: Number of clips at once.
        workers: Number of processes that load clips.

    Raises:
        ValueError: The config shows the teacher no view of its own, or has no validation set.
    """

    def __init__(
        self,
        config: Config,
        name: str,
        encoder: FrozenTeacher,
        tap: str,
        *,
        seed: int,
        epochs: int,
        batch_size: int,
        workers: int,
    ) -> None:
        self.name, self.encoder, self.tap, self.seed = name, encoder, tap, seed
        self.batch_size, self.workers = batch_size, workers
        loader = config.train_dataloader
        if 'DistillViews' not in map(type_name, pipeline_of_loader(loader) or ()):
            raise WrongValueError(
                "train_dataloader.dataset.pipeline: got no DistillViews; expected dict(type='DistillViews', "
                'student=..., teacher=...), which says what the encoder sees'
            )
        dataset = build_replayed(loader, seed)
        self.samples = SeededDataset(dataset, seed).num_distinct
        if not self.samples:
            raise WrongValueError('train_dataloader: got no samples; expected a list of videos')
        replay = Replay(seed, epochs, self.samples, '', '', '')
        self._training = SeededDataset(dataset, seed, replay=replay)
        if config.get('val_dataloader') is None:
            raise WrongValueError('val_dataloader: got none; expected the clips that the best probe is chosen on')
        pipeline = validation_pipeline(encoder.config)
        if pipeline is None:
            raise WrongValueError(
                f'{name}.config: got a model alone; expected a whole config, whose pipeline says what it sees in '
                'validation'
            )
        self._validation = DATASETS.build({**config.val_dataloader['dataset'], 'pipeline': pipeline, 'test_mode': True})
        encoder.tap([tap])

    @property
    def batches(self) -> int:
        """Number of batches of an epoch."""
        return -(-self.samples // self.batch_size)

    def training(self, epoch: int, begin: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield tokens ``(N, L, C)`` and labels ``(N,)`` of the batches of an epoch; -1 for a clip without a label.

        Args:
            epoch: The epoch, from 0.
            begin: The batch to begin with.
        """
        generator = torch.Generator().manual_seed((self.seed << 20) + epoch)
        order = torch.randperm(self.samples, generator=generator).tolist()
        size = self.batch_size
        keys = [SampleKey(index, epoch) for index in order[begin * size :]]
        batches = [keys[first : first + size] for first in range(0, len(keys), size)]
        for batch in self._load(self._training, batches):
            labels = _labels(batch['data_samples'])
            yield self._tokens(batch['views'][self.name], batch['data_samples']), labels.to(self._device)

    def validation(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield tokens ``(N * M, L, C)`` and labels ``(N,)`` of the validation clips, M views of each in a row."""
        places = list(range(len(self._validation)))
        batches = [places[first : first + self.batch_size] for first in range(0, len(places), self.batch_size)]
        for batch in self._load(self._validation, batches):
            labels = _labels(batch['data_samples'])
            yield self._tokens(batch['inputs'], batch['data_samples']), labels.to(self._device)

    @property
    def _device(self) -> torch.device:
        return next(self.encoder.module.parameters()).device

    def _load(self, data: Any, batches: Sequence) -> DataLoader:
        return DataLoader(data, batch_sampler=batches, num_workers=self.workers, collate_fn=pseudo_collate)

    def _tokens(self, inputs: Any, samples: Sequence) -> Tensor:
        prepared = self.encoder.data_preprocessor(dict(inputs=inputs, data_samples=samples), False)
        return as_tokens(self.encoder.features(prepared['inputs'])[self.tap])


def _labels(samples: Sequence) -> Tensor:
    """Return class indices ``(N,)``; -1 of a sample without a label.

    Raises:
        ValueError: A sample has several labels.
    """
    several = next((sample for sample in samples if 'gt_label' in sample and sample.gt_label.numel() != 1), None)
    if several is not None:
        raise WrongValueError(
            f'dataset: got a clip with {several.gt_label.numel()} numbers as its label; a probe learns one label a '
            'clip, expected `path label` lines and no multi_class'
        )
    return torch.stack(
        [sample.gt_label.flatten()[0] if 'gt_label' in sample else torch.tensor(-1) for sample in samples]
    )
