"""A training in which no label counts: what a stage without labels makes of a distillation's config."""

import math

from mmengine.config import Config

from mmkd_video.recognizers.budget import count_clips
from mmkd_video.recognizers.pipelines import innermost_dataset

EPOCHS = 100
LONGEST_WARMUP = 10  # epochs
START_FACTOR = 0.05  # of the learning rate, at the beginning
QUEUED = 'SimilarityQueueLoss'
# Clips below which a queue has so many embeddings: a quarter to a half of the clips.
QUEUE_SIZES = ((50, 16), (100, 32), (250, 64), (500, 128), (1_000, 256), (2_000, 512), (4_000, 1_024))
QUEUE_SIZES += ((10_000, 2_048), (20_000, 4_096), (math.inf, 8_192))


def without_labels(config: Config) -> None:
    """Let a distillation learn from its teacher alone, from all clips of its lists, with none of their labels.

    Args:
        config: Config of the distillation; it is changed.
    """
    config.model.task_weight = 0.0
    loader = config.train_dataloader
    if (loader.get('batch_sampler') or {}).get('type') == 'MixedBatchSampler':
        del loader['batch_sampler']
    dataset = innermost_dataset(loader)
    if dataset.get('type') in ('VideoDataset', 'MixedVideoDataset'):
        dataset.update(type='MixedVideoDataset', clips='all_unlabelled')


def fit_to_data(config: Config, *, length: bool, schedule: bool) -> None:
    """Set what a stage without labels leaves out, by the size of its data, as LightlyTrain does.

    Its length: 100 epochs. Its schedule: a warm-up for a tenth of them, at most ten, then a cosine to the end. The
    queue of a ``SimilarityQueueLoss`` without a ``queue_size``: a quarter to a half of the clips, at most 8192.
    Source: lightly-ai/lightly-train, ``_methods/method_args.py``, ``method.py`` and ``distillation/distillation.py``.

    Args:
        config: Config of the stage; it is changed.
        length: Whether to set the length.
        schedule: Whether to set the schedule.
    """
    if length:
        config.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=EPOCHS)
    epochs = config.train_cfg.get('max_epochs')
    if schedule and epochs:
        config.param_scheduler = _warm_up_and_cosine(epochs)
    clips = count_clips(config.train_dataloader['dataset'])
    for term in config.model.get('terms') or []:
        if term.get('type') == QUEUED and clips:
            term.setdefault('queue_size', queue_size(clips))


def queue_size(clips: int) -> int:
    """Return how many embeddings a queue holds for a number of clips."""
    return next(size for below, size in QUEUE_SIZES if clips < below)


def _warm_up_and_cosine(epochs: int) -> list[dict]:
    warmup = min(LONGEST_WARMUP, max(1, round(epochs / 10)), epochs - 1)
    shared = dict(by_epoch=True, convert_to_iter_based=True)
    cosine = dict(type='CosineAnnealingLR', begin=warmup, end=epochs, T_max=epochs - warmup, **shared)
    if not warmup:
        return [cosine]
    return [dict(type='LinearLR', start_factor=START_FACTOR, begin=0, end=warmup, **shared), cosine]
