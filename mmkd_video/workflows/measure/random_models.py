"""Recognizers of usual size with random weights, for how long they take: no training, no data set."""

import io
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import build_model
from mmkd_video.core.restoring import random_state_restored, seed_everything
from mmkd_video.datasets import render_motion_clips
from mmkd_video.recognizers.config import resolve_config
from mmkd_video.recognizers.real_clips import real_clips

PAIR = (
    ('teacher', 'mmaction::recognition/i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py'),
    ('student', 'mmaction::recognition/tsm/tsm_imagenet-pretrained-mobilenetv2_8xb16-1x1x8-100e_kinetics400-rgb.py'),
)
CLIPS = dict(train=16, val=8, test=8)
CALIBRATION_CLIPS = 4  # clips from which batch normalisation takes its statistics
LOADERS = dict(train_dataloader='train.txt', val_dataloader='val.txt', test_dataloader='test.txt')


def random_models(folder: Path, models: Sequence[tuple[str, str]] = PAIR) -> list[tuple[str, str, str]]:
    """Write configs and checkpoints of recognizers that nobody trained, with a few clips for them.

    Each takes one clip through the pipeline of the validation: where MMAction2 tests with many views, the time of one
    of them is what can be compared. The statistics of batch normalisation are those of the clips, as after a training:
    with those of a fresh network, activations would vanish or grow from layer to layer.

    Args:
        folder: Folder of all of it; what is there already is used again.
        models: Name and config of each, a path or ``mmaction::...``.

    Returns:
        Name, path of the config and path of the checkpoint of each.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: A config is no whole one.
    """
    render_motion_clips(folder / 'clips', num_clips=CLIPS, workers=1)
    found = []
    for name, source in models:
        path, checkpoint = folder / f'{name}.py', folder / f'{name}.pth'
        config = _on_clips(source, folder / 'clips')
        text = config.pretty_text.encode()
        if not (path.is_file() and path.read_bytes() == text and checkpoint.is_file()):
            checkpoint.unlink(missing_ok=True)
            write_atomically(text, path)
            _save(calibrated(config), checkpoint)
        found.append((name, str(path), str(checkpoint)))
    return found


def calibrated(config: Config) -> nn.Module:
    """Build a recognizer with random weights, whose batch normalisation has the statistics of some clips.

    Args:
        config: Config with a test set of clips.
    """
    with random_state_restored():
        seed_everything(0)
        model = build_model(config.model)  # not init_weights: that of some backbones looks for weights elsewhere
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    clips = torch.stack([torch.from_numpy(clip) for clip in real_clips(config, CALIBRATION_CLIPS).clips])
    before = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    with torch.no_grad():
        for clip in clips:
            inputs = model.data_preprocessor(dict(inputs=[clip], data_samples=[]), False)['inputs']
            model.extract_feat(inputs, stage='head')
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    return model.eval()


def _on_clips(source: str, clips: Path) -> Config:
    """Return a config that takes one view of the rendered clips, and no weights from elsewhere."""
    config = resolve_config(source)[1]
    if config is None:
        raise WrongValueError(f'{source}: expected a whole config with data sets')
    config = Config(config.to_dict())
    pipeline = config.val_dataloader.dataset.pipeline
    for loader, listed in LOADERS.items():
        config[loader].dataset = dict(
            type='VideoDataset', ann_file=listed, data_root=str(clips), data_prefix=dict(video=''), pipeline=pipeline,
            test_mode=True,
        )  # fmt: skip
    config.model.backbone.update(pretrained=None)
    return config


def _save(model: nn.Module, path: Path) -> None:
    content = io.BytesIO()
    torch.save(dict(state_dict=model.state_dict()), content)
    write_atomically(content.getvalue(), path)
