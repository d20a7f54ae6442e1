"""Learning without labels on real clips, and fine-tuning after it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import clips
import pytest
import tiny
import torch
import unlabelled_runs
from mmengine.hooks import Hook

from mmkd_video.compat import safe_load
from mmkd_video.core.registry import MODELS

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('videos'), count=4)


class Seen(Hook):
    """Notes whether labels came, and whether the two views of a clip are different ones."""

    priority = 'VERY_LOW'

    def __init__(self):
        self.labels, self.same = set(), []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.labels |= {int(sample.gt_label) for sample in data_batch['data_samples']}
        pairs = zip(data_batch['inputs'], data_batch['views']['teacher'], strict=True)
        self.same += [torch.equal(mine, theirs) for mine, theirs in pairs]


def state_of(runner):
    return {**runner.model.state_dict(), **runner.model.training_state_dict()}


def test_a_student_learns_without_a_label_from_another_view_and_is_fine_tuned(videos, tmp_path):
    seen, runner = Seen(), unlabelled_runs.built(videos, tmp_path)
    runner.register_hook(seen)
    runner._init_model_weights()
    before = {name: each.clone() for name, each in runner.model.state_dict().items()}
    runner.train()
    after = runner.model.state_dict()
    assert seen.labels == {-1} and len(seen.same) == 8 and not any(seen.same)
    for name in ('backbone.conv1.conv.weight', 'cls_head.projector.0.weight'):
        assert not torch.equal(before[name], after[name]), name
    lengths = 'cls_head.prototypes.parametrizations.weight.original0'
    assert torch.equal(after[lengths], torch.ones_like(after[lengths]))
    assert runner.model.training_state.terms['dino'].loss.centre.abs().sum() > 0
    tuned = tiny.runner(videos, tmp_path / 'tuned', 'tuned', tiny.recognizer(), load_from=str(tmp_path / 'epoch_2.pth'))
    tuned.load_or_resume()
    for name, value in tuned.model.state_dict().items():
        if name.startswith('backbone.'):
            assert torch.equal(value, after[name]), name
    tuned.train()
    assert tuned.message_hub.get_scalar('val/acc/top1').current() >= 0


def test_a_killed_training_goes_on_with_its_centre_and_its_average(videos, tmp_path):
    whole = unlabelled_runs.built(videos, tmp_path / 'whole')
    whole.train()
    (tmp_path / 'cut').mkdir()
    shutil.copy(tmp_path / 'whole' / 'epoch_1.pth', tmp_path / 'cut')
    (tmp_path / 'cut' / 'last_checkpoint').write_text(str(tmp_path / 'cut' / 'epoch_1.pth'))
    cut = unlabelled_runs.built(videos, tmp_path / 'cut', resume=True)
    cut.train()
    expected, again = state_of(whole), state_of(cut)
    assert 'terms.dino.loss.centre' in expected
    for name, value in expected.items():
        assert torch.equal(value, again[name]), name


def test_a_predictor_is_trained_and_dropped(videos, tmp_path):
    runner = unlabelled_runs.built(videos, tmp_path, unlabelled_runs.BYOL)
    connector = runner.model.training_state.terms['cosine'].pairs[0].connector.layers[0].weight
    before = connector.detach().clone()
    runner.train()
    assert not torch.equal(connector, before)
    plain = MODELS.build(tiny.recognizer())
    assert list(safe_load.load(str(tmp_path / 'epoch_2.pth'))['state_dict']) == list(plain.state_dict())


def test_scores_of_the_head_are_cosines_per_clip():
    for segments, shape in ((None, (2, 8, 4, 3, 3)), (4, (8, 8, 3, 3))):
        head = MODELS.build(dict(unlabelled_runs.HEAD, num_segments=segments))
        head.init_weights()
        scores = head(torch.randn(shape))
        assert scores.shape == (2, 6) and scores.abs().max() <= 1 + 1e-6
        pooled = torch.randn(2, 8)
        maps = pooled[:, :, None, None, None].expand(2, 8, 4, 3, 3)
        frames = pooled.repeat_interleave(4, dim=0)[:, :, None, None].expand(8, 8, 3, 3)
        vector = torch.nn.functional.normalize(head.projector(pooled), dim=1)
        directions = torch.nn.functional.normalize(head.prototypes.weight, dim=1)
        torch.testing.assert_close(head(maps if segments is None else frames), vector @ directions.T)


@pytest.mark.slow
def test_two_ranks_share_one_centre(videos, tmp_path):
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2', '--master_port=0', '--standalone']
    path = os.pathsep.join(map(str, (TESTS, TESTS / 'self_supervised', TESTS.parent)))
    command += [str(TESTS / 'self_supervised' / 'unlabelled_runs.py'), str(videos), str(tmp_path)]
    environment = dict(os.environ, PYTHONPATH=path, OMP_NUM_THREADS='1')
    done = subprocess.run(command, cwd=TESTS.parent, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (safe_load.load(str(tmp_path / f'rank{rank}.pth')) for rank in (0, 1))
    assert first['terms.dino.loss.centre'].abs().sum() > 0
    for name, value in first.items():
        if 'running' not in name and 'num_batches' not in name:  # batch norms see what is theirs
            assert torch.equal(value, second[name]), name
