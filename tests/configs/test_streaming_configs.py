"""The configs of students that stream: each builds, its clips go through it, and alone it is the student distilled."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import mmkd_video  # noqa: F401
from mmkd_video.core.registry import build_model
from mmkd_video.datasets import render_motion_clips
from mmkd_video.export import DeployableRecognizer, StreamingRecognizer
from mmkd_video.recognizers.complexity import measure_complexity
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.input_form import noise_clip
from mmkd_video.recognizers.plain_student import plain_student

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
STUDENTS = {'tsm-online-mobilenet': (0.697928, 0.0974), 'movinet': (0.552007, 0.08)}


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'motion_clips'
    render_motion_clips(root, num_clips={'train': 8, 'val': 2, 'test': 2})
    return root


@pytest.mark.parametrize('name', STUDENTS)
def test_real_clips_go_through_the_student_whole_and_frame_by_frame(name, clips):
    config = read_config(str(CONFIGS / f'students/{name}_motion.py'))
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = build_model(config.model)
    model.init_weights()
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        loader.dataset.data_root = str(clips)
        loader.update(num_workers=0, persistent_workers=False, batch_size=2)
        samples = next(iter(Runner.build_dataloader(loader)))
        batch = model.data_preprocessor(samples, training=split == 'train')
        if split == 'train':
            losses = model.train()(**batch, mode='loss')
            losses['loss_cls'].backward()
            assert all(each.grad is not None and each.grad.isfinite().all() for each in model.parameters())
    with torch.no_grad():
        found = model.eval()(**batch, mode='predict')
    assert [len(each.pred_score) for each in found] == [8, 8]
    assert StreamingRecognizer(DeployableRecognizer(model), samples['inputs'][0].numpy()).states


@pytest.mark.parametrize('name', STUDENTS)
def test_alone_and_distilled_are_one_recipe(name):
    distilled = read_config(str(CONFIGS / f'streaming/i3d_to_{name}_few_labels.py'))
    alone = read_config(str(CONFIGS / f'students/{name}_motion_few_labels.py'))
    compared = plain_student(distilled)
    for key in ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler'):
        assert compared[key] == alone[key], key
    assert distilled.model.teacher.config == 'configs/teachers/i3d_motion.py' == distilled.prepare.teacher


@pytest.mark.parametrize('name', STUDENTS)
def test_sizes_are_those_of_the_page(name):
    model = build_model(read_config(str(CONFIGS / f'students/{name}_motion.py')).model)
    size = (8 if name.startswith('tsm') else 16, 48, 48)
    parameters, gflops = measure_complexity(model, noise_clip(model, size)[0])
    assert (parameters / 1e6, round(gflops, 4)) == STUDENTS[name]


def test_configs_are_short():
    names = [*(CONFIGS / 'streaming').glob('*.py'), *(CONFIGS / 'students').glob('*online*'), CONFIGS / 'students']
    assert len(names) == 7
    assert all(len(path.read_text().splitlines()) <= 30 for path in names if path.is_file())
    assert all('http' not in Config.fromfile(path).pretty_text for path in (CONFIGS / 'streaming').glob('i3d*'))
