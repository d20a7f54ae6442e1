"""Recognizers with random weights, for how long they take."""

import torch
from mmengine.config import Config
from torch.nn.modules.batchnorm import _BatchNorm

from mmkd_video.recognizers.real_clips import real_clips
from mmkd_video.workflows.deploy.student import StudentCheckpoint
from mmkd_video.workflows.measure import random_models


def write(folder, monkeypatch):
    """Write the models of a student of the embedded experiment; return its config and checkpoint."""
    monkeypatch.setattr(random_models, 'CLIPS', dict(train=8, val=8, test=8))
    (found,) = random_models.random_models(folder, [('small', 'configs/students/mobilenet_motion.py')])
    return found


def test_batch_normalisation_has_the_statistics_of_clips_and_nothing_is_written_twice(tmp_path, monkeypatch):
    name, config, checkpoint = write(tmp_path, monkeypatch)
    assert name == 'small'
    settings = Config.fromfile(config)
    model, clip = StudentCheckpoint.read(checkpoint).build(settings), torch.from_numpy(real_clips(settings, 1).clips[0])
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    assert all(norm.momentum is not None and norm.running_var.mean() != 1 for norm in norms)
    seen = []
    for norm in norms:
        norm.register_forward_hook(lambda module, inputs, output: seen.append(output.std().item()))
    with torch.no_grad():
        model.extract_feat(model.data_preprocessor(dict(inputs=[clip], data_samples=[]))['inputs'], stage='head')
    assert min(seen) > 0.2 and max(seen) < 5  # activations neither vanish nor grow from layer to layer
    before = (tmp_path / 'small.pth').stat().st_mtime_ns
    write(tmp_path, monkeypatch)
    assert (tmp_path / 'small.pth').stat().st_mtime_ns == before


def test_the_default_pair_takes_one_view_of_its_validation_without_weights_from_elsewhere(tmp_path):
    shapes = {'teacher': (32, 2, 1), 'student': (1, 1, 8)}
    for name, source in random_models.PAIR:
        config = random_models._on_clips(source, tmp_path)
        sampled = config.test_dataloader.dataset.pipeline[1]
        assert (sampled.clip_len, sampled.frame_interval, sampled.num_clips) == shapes[name]
        assert dict(type='CenterCrop', crop_size=224) in config.test_dataloader.dataset.pipeline
        assert config.model.backbone.pretrained is None
        assert {config[loader].dataset.ann_file for loader in random_models.LOADERS} == {
            'train.txt',
            'val.txt',
            'test.txt',
        }
