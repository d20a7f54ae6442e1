"""Two ranks decide as one: whole checkpoints, fallback on resume, refusals without hanging, shared predictions."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import clips
import numpy as np
import pytest
from killable_run import assert_same, final_state

HERE = Path(__file__).parent
pytestmark = pytest.mark.slow


def run(videos, work_dir, ranks=2, **settings):
    settings = dict(dict(kind='distiller', loop='epoch', workers=0, resume=False), **settings)
    argument = json.dumps(dict(settings, videos=str(videos), work_dir=str(work_dir)))
    command = [sys.executable, '-m', 'torch.distributed.run', f'--nproc_per_node={ranks}', '--standalone']
    paths = os.pathsep.join(map(str, [HERE, HERE.parent, HERE.parents[1]]))
    return subprocess.run(
        [*command, str(HERE / 'ranked_run.py'), argument],
        cwd=work_dir.parent,
        env=dict(os.environ, PYTHONPATH=paths, OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=5)


@pytest.fixture(scope='module')
def trained(videos, tmp_path_factory):
    folder = tmp_path_factory.mktemp('ranks') / 'run'
    result = run(videos, folder)
    assert result.returncode == 0, result.stderr[-3000:]
    return folder


@pytest.fixture
def copied(trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / 'run'))


def test_unreadable_newest_is_passed_over_by_both_ranks_alike(videos, trained, copied):
    newest = copied / 'epoch_4.pth'
    newest.write_bytes(newest.read_bytes()[:1000])
    (copied / 'last_checkpoint').write_text(str(newest))
    result = run(videos, copied, resume=True)
    assert result.returncode == 0, result.stderr[-3000:]
    assert 'Not resuming from' in result.stdout + result.stderr
    state, place = final_state(copied)
    expected, expected_place = final_state(trained)
    assert place == expected_place
    assert_same(state, expected)


def test_a_signal_to_one_rank_ends_both_after_its_step_and_a_resume_is_exact(videos, trained, tmp_path):
    result = run(videos, tmp_path / 'run', stop_at=2)
    assert result.returncode != 0
    assert result.stderr.count('stopped after iteration 3; --resume goes on from') == 1
    assert result.stderr.count('exitcode  : 143') == 2
    result = run(videos, tmp_path / 'run', resume=True)
    assert result.returncode == 0, result.stderr[-3000:]
    for got, expected in zip(final_state(tmp_path / 'run'), final_state(trained), strict=True):
        assert_same(got, expected)


def test_work_dir_of_another_config_stops_both_ranks(videos, copied):
    result = run(videos, copied, resume=True, temperature=2.5)
    assert result.returncode != 0
    assert result.stderr.count('model.terms.0.temperature: got 2.5') >= 2


def test_predictions_of_two_ranks_are_those_of_one(videos, trained, tmp_path):
    (ours,) = trained.glob('teacher_predictions_*.npz')
    result = run(videos, tmp_path / 'run', ranks=1)
    assert result.returncode == 0, result.stderr[-3000:]
    (alone,) = (tmp_path / 'run').glob('teacher_predictions_*.npz')
    assert ours.name == alone.name
    with np.load(ours) as got, np.load(alone) as expected:
        assert got['samples'].tolist() == expected['samples'].tolist()
        np.testing.assert_allclose(got['probabilities'], expected['probabilities'], atol=1e-5)
    scalars = [json.loads(line) for line in next(trained.glob('*/vis_data/scalars.json')).read_text().splitlines()]
    assert any('agreement/top1' in line for line in scalars)
