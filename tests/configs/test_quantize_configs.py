"""Distilling in int8, as the shipped config says, on a few of the embedded clips."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmkd_video.core.registry import HOOKS, build_model
from mmkd_video.datasets import render_motion_clips

pytest.importorskip('nncf')
pytest.importorskip('openvino')
ROOT = Path(__file__).resolve().parents[2]
INT8 = 'configs/quantize/i3d_to_mobilenet_int8.py'


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp('clips')
    render_motion_clips(root, num_clips={'train': 8, 'val': 4, 'test': 4}, workers=1)
    return root


@pytest.fixture
def shipped(monkeypatch):
    monkeypatch.chdir(ROOT)
    return Config.fromfile(INT8)


def test_it_trains_on_from_the_end_of_the_main_example(shipped):
    main = Config.fromfile('configs/distill/i3d_to_mobilenet.py')
    assert Path(shipped.load_from).name == f'epoch_{main.train_cfg.max_epochs}.pth'
    assert Path(shipped.load_from).parent == Path('work_dirs/i3d_to_mobilenet')
    (settings,) = (hook for hook in shipped.custom_hooks if hook not in main.custom_hooks)
    assert HOOKS.build(settings).begin == 0
    assert shipped.optim_wrapper.optimizer.lr < 0.1 * main.optim_wrapper.optimizer.lr
    assert shipped.param_scheduler[-1].end == shipped.train_cfg.max_epochs


@pytest.mark.parametrize(
    ('distillation', 'total'),
    [('i3d_to_mobilenet', 52), ('i3d_to_mobilenet3d', 69)],  # shifted, and depthwise in space, then in time
)
def test_every_convolution_of_the_student_runs_in_int8(shipped, clips, tmp_path, distillation, total):
    from mmkd_video.cli.quantize import main as quantize

    config = Config.fromfile(f'configs/distill/{distillation}.py')
    config.custom_hooks = shipped.custom_hooks
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        loader.update(batch_size=4, num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(clips)
    config.model.teacher.checkpoint = None
    config.custom_hooks = [hook for hook in config.custom_hooks if hook.type != 'TeacherPredictionsHook']
    (quantizing,) = (hook for hook in config.custom_hooks if hook.type == 'QATHook')
    quantizing.operators = 'torch'  # else compilers that are found would build NNCF's extension first
    config.load_from = str(tmp_path / 'student.pth')
    torch.save(dict(state_dict=build_model(config.model.student).state_dict()), config.load_from)
    config.merge_from_dict(dict(train_cfg=dict(max_epochs=1, val_interval=1), work_dir=str(tmp_path / 'run')))
    config.dump(tmp_path / 'config.py')
    Runner.from_cfg(config).train()
    files = [tmp_path / 'config.py', tmp_path / 'run' / 'epoch_1.pth', '--out', tmp_path / 'int8.xml']
    result = quantize([*map(str, files), '--validation', '4', '--max-drop', '1', '--no-check'])
    assert (result.convolutions.quantized, result.convolutions.total) == (total, total), result.convolutions.in_float
    assert result.megabytes[1] < 0.6 * result.megabytes[0]
