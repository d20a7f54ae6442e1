"""Teachers that change while they teach, side by side: a moving average, a peer, and the student itself."""

import clips
import pytest
import tiny
import torch
from learning_teachers import config

from mmkd_video.compat import safe_load
from mmkd_video.core.registry import MODELS


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=4)


def train(videos, folder, name, epochs, **extra):
    settings = dict(
        hooks=[dict(type='EMAHook', momentum=0.25)],
        train_dataloader=dict(batch_size=1),
        train_cfg=dict(max_epochs=epochs),
        param_scheduler=[],
        optim_wrapper=dict(type='AmpOptimWrapper', dtype='bfloat16', accumulative_counts=2),
    )
    runner = tiny.runner(videos, folder, name, config(dropout=0.5), **settings, **extra)
    runner.train()
    return runner


@pytest.mark.slow
def test_a_resumed_training_is_exact_beside_amp_accumulation_and_an_ema_hook(videos, tmp_path):
    whole = train(videos, tmp_path / 'whole', 'whole', 2)
    assert whole.model.teachers['average'].state.updates == 4
    train(videos, tmp_path / 'parts', 'first', 1)
    train(videos, tmp_path / 'parts', 'again', 2, resume=True)
    saved, again = (safe_load.load(tmp_path / name / 'epoch_2.pth') for name in ('whole', 'parts'))
    assert {key.split('.')[1] for key in saved['training_state']} >= {'average', 'peer', 'itself'}
    for part in ('state_dict', 'ema_state_dict', 'training_state'):
        assert all(torch.equal(again[part][key], value) for key, value in saved[part].items()), part
    MODELS.build(tiny.recognizer()).load_state_dict(saved['state_dict'], strict=True)
    for name, width in (('peer', 12), ('average', 8)):
        first, second = (tmp_path / run / 'teachers' / f'{name}.pth' for run in ('whole', 'parts'))
        theirs, ours = (safe_load.load(path)['state_dict'] for path in (first, second))
        assert all(torch.equal(ours[key], value) for key, value in theirs.items())
        assert all(torch.equal(ours[k], v) for k, v in whole.model.teachers[name].recognizer.state_dict().items())
        MODELS.build(dict(type='FrozenTeacher', config=tiny.recognizer(width), checkpoint=str(first)))
    assert not (tmp_path / 'whole' / 'teachers' / 'itself.pth').exists()
