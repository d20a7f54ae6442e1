"""Training, validation and resume by episodes, on real clips."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import clips
import episode_runs
import pytest
import tiny
import torch
from mmengine.runner import Runner
from mmengine.runner.checkpoint import load_checkpoint

from mmkd_video.compat import safe_load
from mmkd_video.core.registry import MODELS

TESTS = Path(__file__).parents[1]
ALGORITHMS = episode_runs.ALGORITHMS


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('videos'), count=24, classes=6)


@pytest.mark.parametrize('name', ALGORITHMS)
def test_a_training_by_episodes_moves_the_student_and_its_checkpoint_is_the_plain_one(videos, tmp_path, name):
    runner = episode_runs.built(videos, tmp_path, ALGORITHMS[name], epochs=1)
    runner._init_model_weights()
    before = episode_runs.state_of(runner)
    runner.train()
    after = episode_runs.state_of(runner)
    moved = {key for key in after if not torch.equal(before[key], after[key])}
    assert 'backbone.conv1.conv.weight' in moved and 'backbone.conv1.bn.running_mean' in moved
    assert ('cls_head.fc_cls.weight' in moved) == (name != 'protonet')
    hub = runner.message_hub
    assert 0 <= hub.get_scalar('val/episode/top1').current() <= 1 and hub.get_scalar('train/loss').current() > 0
    assert hub.get_scalar('val/acc/top1').current() == pytest.approx(hub.get_scalar('val/episode/top1').current())
    plain = MODELS.build(tiny.recognizer())
    load_checkpoint(plain, str(tmp_path / 'epoch_1.pth'), strict=True)
    assert list(safe_load.load(str(tmp_path / 'epoch_1.pth'))['state_dict']) == list(plain.state_dict())


@pytest.mark.parametrize('name', ['maml', 'protonet'])
def test_a_validation_leaves_the_student_as_it_is_and_gives_the_same_again(videos, tmp_path, name):
    runner = episode_runs.built(videos, tmp_path, ALGORITHMS[name])
    runner._init_model_weights()
    runner._val_loop = runner.build_val_loop(runner._val_loop)
    before = episode_runs.state_of(runner)
    first, second = runner.val_loop.run(), runner.val_loop.run()
    assert first == second or (first['episode/ci95'] != first['episode/ci95'])
    assert all(torch.equal(before[key], value) for key, value in episode_runs.state_of(runner).items())


def test_the_first_order_gradient_is_another_one_and_reptile_is_its_formula(videos, tmp_path):
    found = {}
    for name in ('maml', 'first_order'):
        runner = episode_runs.built(videos, tmp_path / name, ALGORITHMS[name], epochs=1)
        runner.train()
        found[name] = episode_runs.state_of(runner)['backbone.conv1.conv.weight']
    assert not torch.allclose(found['maml'], found['first_order'], rtol=0, atol=1e-7)


def reptile_by_hand(model, episode, steps, lr):
    """Train in place with torch's own SGD."""
    from mmkd_video.meta.episode import joined

    batch = model.data_preprocessor(joined(episode.support, episode.query), True)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        model.parse_losses(model(**batch, mode='loss'))[0].backward()
        optimizer.step()
    return dict(model.named_parameters())


def test_the_gradient_of_reptile_is_the_way_that_an_ordinary_training_goes(videos, tmp_path):
    from mmkd_video.meta import Learner, Reptile, episodes_of
    from mmkd_video.meta.learner import gradients_of

    runner = episode_runs.built(videos, tmp_path, ALGORITHMS['maml'])
    loop = runner.build_train_loop(runner._train_loop)
    episode = episodes_of(next(iter(loop.dataloader)), loop.shape)[0]
    model = MODELS.build(tiny.recognizer()).train()
    own = {name: each.detach().clone() for name, each in model.named_parameters()}
    outcome = Reptile(steps=3, lr=0.05).train(Learner(model), episode)
    slopes = gradients_of(outcome.objective, list(model.parameters()))
    trained = reptile_by_hand(model, episode, 3, 0.05)
    for (name, start), slope in zip(own.items(), slopes, strict=True):
        torch.testing.assert_close(slope, start - trained[name].detach(), rtol=1e-3, atol=1e-6)


def test_a_killed_training_goes_on_where_it_was(videos, tmp_path):
    whole = episode_runs.built(videos, tmp_path / 'whole', ALGORITHMS['first_order'])
    whole.train()
    (tmp_path / 'cut').mkdir()
    for name in ('epoch_1.pth', 'last_checkpoint'):
        shutil.copy(tmp_path / 'whole' / name, tmp_path / 'cut' / name)
    (tmp_path / 'cut' / 'last_checkpoint').write_text(str(tmp_path / 'cut' / 'epoch_1.pth'))
    cut = episode_runs.built(videos, tmp_path / 'cut', ALGORITHMS['first_order'], resume=True)
    cut.train()
    again, expected = episode_runs.state_of(cut), episode_runs.state_of(whole)
    assert all(torch.equal(again[key], expected[key]) for key in expected)


@pytest.mark.parametrize('terms', ['outer', 'both'])
def test_a_teacher_takes_part_with_the_classes_of_the_episode(videos, tmp_path, terms):
    taught = tiny.recognizer(12)
    taught['cls_head']['num_classes'] = 6
    kd = [dict(type='KDLoss', at='logits', weight=0.5), dict(type='FitNetLoss', at='backbone.layer1', weight=1.0)]
    model = dict(
        type='Distiller', student=tiny.recognizer(), terms=kd, input_size=tiny.SIZE,
        teacher=dict(config=taught, checkpoint=None, classes='episode'),
    )  # fmt: skip
    runner = episode_runs.built(videos, tmp_path, dict(ALGORITHMS['maml'], terms=terms), model, epochs=1)
    connector = next(each for each in runner.model.training_state.parameters())
    before = connector.detach().clone()
    runner.train()
    assert not torch.equal(before, connector)
    assert len(runner.model.teachers['teacher'].classes) == 5
    assert runner.message_hub.get_scalar('train/loss_kd').current() > 0


def test_a_prototypical_student_learns_from_a_teacher(videos, tmp_path):
    model = tiny.distiller(terms=[dict(type='RKDLoss', at='pooled', weight=1.0)])
    episode_runs.built(videos, tmp_path / 'a', ALGORITHMS['protonet'], model, epochs=1).train()
    balanced = tiny.distiller(terms=[dict(type='RKDLoss', at='pooled')])
    with pytest.raises(ValueError, match="terms: 'rkd' is balanced against .* expected a weight"):
        episode_runs.built(videos, tmp_path / 'b', ALGORITHMS['protonet'], balanced, epochs=1).train()


def test_a_training_in_bfloat16_takes_steps(videos, tmp_path):
    wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16')
    runner = episode_runs.built(videos, tmp_path, ALGORITHMS['maml'], epochs=1, optim_wrapper=wrapper)
    before = episode_runs.state_of(runner)
    runner.train()
    after = episode_runs.state_of(runner)
    assert not torch.equal(before['cls_head.fc_cls.weight'], after['cls_head.fc_cls.weight'])


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(train_dataloader=dict(batch_sampler=None)), 'expected .*Episode'),
        (dict(train_dataloader=dict(batch_sampler=dict(way=4))), r'cls_head.num_classes: got 5; expected 4'),
        (dict(train_cfg=dict(algorithm=dict(type='SGD'))), "algorithm.type: got 'SGD'; expected 'MAML'"),
        (dict(train_cfg=dict(algorithm=dict(steps=0))), 'MAML.steps: got 0; expected a whole number of at least 1'),
        (dict(train_cfg=dict(algorithm=dict(order=2))), "got .*'order'"),
        (dict(activation_checkpointing='backbone'), 'got activation checkpoints; expected none'),
    ],
)
def test_what_cannot_work_is_told_in_one_line(videos, tmp_path, change, message):
    with pytest.raises((ValueError, KeyError, TypeError), match=message) as told:
        episode_runs.built(videos, tmp_path, ALGORITHMS['maml'], **change).train()
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize('name', ['maml', 'protonet'])
def test_two_ranks_train_as_one_process_with_twice_the_episodes(videos, tmp_path, name):
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2', '--master_port=0', '--standalone']
    path = os.pathsep.join(map(str, (TESTS, TESTS / 'meta', TESTS.parent)))
    command += [str(TESTS / 'meta' / 'episode_runs.py'), str(videos), str(tmp_path), name]
    environment = dict(os.environ, PYTHONPATH=path, OMP_NUM_THREADS='1')
    done = subprocess.run(command, cwd=TESTS.parent, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    alone: Runner = episode_runs.built(videos, tmp_path / 'one', ALGORITHMS[name], batch_size=2, epochs=1)
    alone.train()
    ranks = safe_load.load(str(tmp_path / 'ranks.pth'))
    for key, value in alone.model.named_parameters():
        torch.testing.assert_close(ranks[key], value.detach(), rtol=1e-4, atol=1e-6)
