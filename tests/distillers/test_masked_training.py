"""Real trainings of a student that sees some of its tokens: interrupted, and on two ranks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import clips
import masked_students
import pytest
import tiny
import torch
import transformers_models
from masked_students import layer

from mmkd_video.compat import safe_load
from mmkd_video.core.registry import MODELS
from mmkd_video.hooks import ReproducibleHook

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('videos'), count=6)


@pytest.fixture(scope='module')
def videomae(tmp_path_factory):
    return transformers_models.write(tmp_path_factory.mktemp('videomae'), 'videomae')


def train(videos, work_dir, name, teacher, epochs, monkeypatch, **extra):
    """Return the runner after its training, and the places that each of its steps showed."""
    decoder = dict(type='MLPConnector', position=True, out_norm=True)
    terms = [
        layer(index, at=(f'backbone.blocks.{index}', f'hidden_states[{index}]'), connector=decoder, target_norm='l2')
        for index in (1, 2)
    ]
    masking = dict(type='AttentionMask', ratio=0.75)
    model = masked_students.config(masking, terms, teacher=dict(config=teacher.config), task_weight=0.0)
    drawn, draw = [], MODELS.get('Distiller').loss

    def noting(self, *arguments, **keywords):
        shown = self._tokens.draw
        self._tokens.draw = lambda *given: drawn.append(shown(*given)) or drawn[-1]
        try:
            return draw(self, *arguments, **keywords)
        finally:
            self._tokens.draw = shown

    monkeypatch.setattr(MODELS.get('Distiller'), 'loss', noting)
    steps = clips.pipeline(frames=4, layout='NCTHW')
    runner, _ = tiny.train(
        videos, work_dir, name, model,
        **{
            'train_dataloader.dataset.pipeline': steps,
            'val_dataloader.dataset.pipeline': clips.pipeline(frames=4, layout='NCTHW', train=False),
            'train_cfg.max_epochs': epochs,
            'param_scheduler': [dict(type='ConstantLR', factor=1.0)],
            **extra,
        },
    )  # fmt: skip
    monkeypatch.undo()
    return runner, [each.kept for each in drawn]


def test_a_resumed_training_is_the_uninterrupted_one(videos, videomae, tmp_path, monkeypatch):
    whole, expected = train(videos, tmp_path / 'whole', 'whole', videomae, 2, monkeypatch)
    train(videos, tmp_path / 'halves', 'half', videomae, 1, monkeypatch)
    resumed, found = train(videos, tmp_path / 'halves', 'resumed', videomae, 2, monkeypatch, resume=True)
    assert len(expected) == 6 and len(found) == 3
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(found, expected[3:], strict=True))
    assert len({tuple(each.flatten().tolist()) for each in expected}) == 6
    for key, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[key], value), key
    for key, value in whole.model.training_state_dict().items():
        assert torch.equal(resumed.model.training_state_dict()[key], value), key
    kept = safe_load.load(tmp_path / 'whole' / 'epoch_2.pth')['state_dict']
    assert set(kept) == set(MODELS.build(masked_students.student()).state_dict())


def test_each_rank_draws_its_own_tokens(videos, videomae, tmp_path, monkeypatch):
    hook = sys.modules[ReproducibleHook.__module__]
    drawn = []
    for rank in (0, 1):
        with monkeypatch.context() as patch:
            patch.setattr(hook, 'get_rank', lambda rank=rank: rank)
            seed = dict(randomness=dict(seed=0))
            drawn.append(train(videos, tmp_path / f'{rank}', f'rank{rank}', videomae, 1, patch, **seed)[1])
    assert not any(torch.equal(ours, theirs) for ours, theirs in zip(*drawn, strict=True))


@pytest.mark.slow
def test_two_ranks_learn_as_one(tmp_path):
    out = tmp_path / 'found.json'
    command = [sys.executable, '-W', 'ignore', '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2']
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': f'{TESTS.parent}:{TESTS}'}
    done = subprocess.run(
        [*command, str(TESTS / 'masked_ranks.py'), str(out)],
        env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(out.read_text())
    assert found['difference'] < 1e-5 * max(1.0, found['largest']) and found['largest'] > 0
