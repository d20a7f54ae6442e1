"""Trainings by MMEngine's FlexibleRunner, whose strategies wrap the model themselves."""

import os
import subprocess
import sys
from pathlib import Path

import distillations
import pytest
import torch
import zoo
from torch.distributed.fsdp._dynamo_utils import _annotate_modules_for_dynamo

from mmkd_video.core.registry import build_model
from mmkd_video.recognizers.weights import load_completely

ROOT = Path(__file__).parents[2]
TRAIN = """
import sys
from pathlib import Path
import clips, zoo
from mmengine.config import Config
from mmengine.runner import FlexibleRunner
import mmkd_video
folder, epochs = Path(sys.argv[1]), int(sys.argv[2])
videos = clips.make_set(folder / 'clips', count=2)
student, teacher = zoo.config_of('tsn_r18')[0], zoo.config_of('i3d')[0]
terms = [dict(type='FitNetLoss', at=('backbone.layer4', 'backbone.layer4'))]
model = dict(type='Distiller', student=student, teacher=dict(config=teacher, checkpoint=None), terms=terms)
config = clips.runner_config(videos, folder, model, epochs=epochs)
config = Config(dict(
    config, strategy=dict(type='DDPStrategy'), launcher='pytorch', resume=epochs > 1,
    env_cfg=dict(dist_cfg=dict(backend='gloo'))))
runner = FlexibleRunner.from_cfg(config)
runner.train()
print('trained to', runner.epoch)
"""


@pytest.mark.slow
def test_checkpoints_of_the_ddp_strategy_are_the_plain_students_and_resume(tmp_path):
    (tmp_path / 'train.py').write_text(TRAIN)
    port = str(29500 + os.getpid() % 1000)
    rank = dict(
        RANK='0', LOCAL_RANK='0', WORLD_SIZE='1', LOCAL_WORLD_SIZE='1', MASTER_ADDR='127.0.0.1', MASTER_PORT=port
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / 'tests')])
    for epochs in (1, 2):
        done = subprocess.run(
            [sys.executable, 'train.py', str(tmp_path), str(epochs)],
            cwd=tmp_path, env={**os.environ, **rank, 'PYTHONPATH': path}, capture_output=True, text=True, timeout=500,
        )  # fmt: skip
        assert f'trained to {epochs}' in done.stdout, done.stdout[-2000:] + done.stderr[-3000:]
    checkpoint = torch.load(tmp_path / 'epoch_2.pth', weights_only=False)
    plain = build_model(zoo.config_of('tsn_r18')[0])
    assert set(checkpoint['state_dict']) == set(plain.state_dict())
    load_completely(plain, checkpoint['state_dict'], 'x', 'y')
    assert 'training_state' in checkpoint


def test_fsdp_is_refused_in_one_line():
    model = distillations.build()
    _annotate_modules_for_dynamo(model, set(), True)  # as FSDP marks the modules that it wraps
    with pytest.raises(ValueError, match=r'FSDP.*expected.*DDPStrategy') as caught:
        model.build_optim_wrapper(dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1)))
    assert '\n' not in str(caught.value)
