"""Runs side by side: small scripts in the place of trainings."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mmengine.config import Config

from mmkd_video.core.files.lock import locked
from mmkd_video.workflows.compare.pool import run_all
from mmkd_video.workflows.compare.progress import Progress, in_words, trained_fraction
from mmkd_video.workflows.compare.runs import EVALUATION, Run
from mmkd_video.workflows.train.run_folder import LOG, RunFolder, environment_of

ROOT = Path(__file__).resolve().parents[3]
WORK = """
import json, os, pathlib, sys, time
folder, awaited, code = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
(folder / 'begun').write_text(f'{time.time()} {os.getpid()}')
print('threads', os.environ['OMP_NUM_THREADS'], flush=True)
while not awaited.exists():
    time.sleep(0.01)
if code == 0:
    (folder / 'result.json').write_text(json.dumps(dict(metrics={'acc/top1': time.time()})))
sys.exit(code)
"""


class Script(RunFolder):
    """A run of a script that waits for a file."""

    def __init__(self, path, awaited='/', code=0, seed=0):
        super().__init__(path, Config(dict(model=dict(), seed=seed, train_cfg=dict(max_epochs=4))))
        self.arguments = [str(path), str(awaited), str(code)]

    def start(self, output, threads=None, keep=()):
        return subprocess.Popen(
            [sys.executable, '-c', WORK, *self.arguments],
            env=environment_of(threads),
            pass_fds=list(keep),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def run_of(folder, seed=0):
    return Run('student alone', '', {}, seed, EVALUATION, folder)


@pytest.fixture
def pool(tmp_path):
    """Run scripts, given by what they wait for and their exit code; return what ended well, and what failed."""

    def call(*scripts, jobs=2):
        runs = [run_of(Script(tmp_path / f'{seed}', *each), seed) for seed, each in enumerate(scripts)]
        done, failed = [], []
        run_all(
            runs,
            jobs,
            Progress(len(runs), jobs),
            lambda run, result: done.append(run.seed),
            lambda run, why: failed.append((run.seed, why)),
        )
        return done, failed

    return call


def begun(folder):
    return float((folder / 'begun').read_text().split()[0])


def test_two_at_a_time_and_the_third_when_one_ends(pool, tmp_path):
    done, failed = pool((tmp_path / '2' / 'begun',), (), ())
    assert done[0] == 1 and sorted(done) == [0, 1, 2] and failed == []
    assert begun(tmp_path / '2') > (tmp_path / '1' / 'result.json').stat().st_mtime


def test_one_that_fails_stops_nobody(pool, tmp_path):
    done, failed = pool(('/', 3), (), jobs=1)
    assert done == [1] and failed[0][0] == 0
    assert failed[0][1].startswith(f'exit code 3; the end of {tmp_path / "0" / LOG}:\nthreads ')


def test_what_is_finished_is_read_and_what_failed_is_tried_again(pool, tmp_path):
    pool(('/', 3), ())
    before = (tmp_path / '1' / 'begun').read_text()
    assert pool(('/', 3), ())[0] == [1]
    assert (tmp_path / '1' / 'begun').read_text() == before
    assert (tmp_path / '0' / LOG).read_text().count('threads') == 2


def test_a_damaged_result_is_made_anew(pool, tmp_path):
    pool(())
    (tmp_path / '0' / 'result.json').write_text('{"metrics"')
    assert pool(()) == ([0], [])


def test_another_config_is_refused_before_anything_starts(pool, tmp_path):
    pool(())
    run = run_of(Script(tmp_path / '0', seed=1))
    fresh = run_of(Script(tmp_path / 'fresh'))
    with pytest.raises(ValueError, match='holds a run of another config'):
        run_all([fresh, run], 1, Progress(2, 1), print, print)
    assert not (tmp_path / 'fresh' / 'begun').exists()


def test_cores_are_shared_out(pool, tmp_path, monkeypatch):
    monkeypatch.setattr('mmkd_video.workflows.compare.pool.cores', lambda: 8)
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    pool((), jobs=3)
    assert (tmp_path / '0' / LOG).read_text() == 'threads 2\n'
    pool((), (), jobs=16)
    assert (tmp_path / '1' / LOG).read_text() == 'threads 1\n'
    monkeypatch.setenv('OMP_NUM_THREADS', '5')
    pool((), (), (), jobs=2)
    assert (tmp_path / '2' / LOG).read_text() == 'threads 5\n'


def test_a_folder_that_another_process_holds_is_left_to_it(pool, tmp_path, capsys):
    with locked(tmp_path / '0'):  # flock counts by open file, so this is as good as another process
        done = []

        def stop(run, result):
            done.append(run.seed)
            if run.seed == 1:  # the other process finishes the run meanwhile
                (tmp_path / '0' / 'result.json').write_text('{"metrics": {}}')

        runs = [run_of(Script(tmp_path / f'{seed}'), seed) for seed in (0, 1)]
        run_all(runs, 1, Progress(2, 1), stop, print)
    assert done == [1, 0] and not (tmp_path / '0' / 'begun').exists()
    assert capsys.readouterr().out.count('another process is training') == 1


PARENT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it is ignored
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from pathlib import Path
from test_pool import Progress, Script, run_all, run_of
runs = [run_of(Script(Path(sys.argv[3]) / str(seed), 'never'), seed) for seed in (0, 1)]
run_all(runs, 2, Progress(2, 2), print, print)
"""


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.slow
def test_an_interrupt_ends_the_runs_too(tmp_path, number):
    command = [sys.executable, '-c', PARENT, str(ROOT), str(Path(__file__).parent), str(tmp_path)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    notes = [tmp_path / str(seed) / 'begun' for seed in (0, 1)]
    while parent.poll() is None and not all(note.is_file() and note.read_text() for note in notes):
        time.sleep(0.05)
    children = [int(note.read_text().split()[1]) for note in notes]
    parent.send_signal(number)
    said = parent.communicate(timeout=60)[0]
    assert 'KeyboardInterrupt' in said, said
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


def test_a_log_says_how_far_a_training_is(tmp_path):
    run = run_of(Script(tmp_path))
    assert trained_fraction(run) == 0.0
    (tmp_path / LOG).write_text('x - INFO - Epoch(train)  [2][10/40]  lr: 1\n')
    assert trained_fraction(run) == pytest.approx(1.25 / 4)
    (tmp_path / LOG).write_text('x - INFO - Iter(train) [ 30/120]  lr: 1\n')
    assert trained_fraction(run) == 0.25


def test_time_left_follows_from_what_runs_took(tmp_path):
    now = [0.0]
    progress = Progress(5, 2, clock=lambda: now[0])
    runs = [run_of(Script(tmp_path / str(seed)), seed) for seed in range(5)]
    for run in runs:
        run.folder.path.mkdir()
    progress.started(runs[0])
    assert progress.seconds_left() is None and progress.line() == '0 of 5 runs: student alone, seed 0 0 %'
    now[0] = 100.0
    progress.ended(runs[0], began_here=True)
    assert progress.seconds_left() == 4 * 100 / 2
    progress.started(runs[1])
    progress.line()
    now[0] = 120.0
    (runs[1].folder.path / LOG).write_text('Epoch(train)  [1][40/40]\n')  # a quarter in 20 seconds, so 60 are left
    assert progress.seconds_left() == (60 + 3 * 100) / 2
    progress.expect(2)
    assert progress.line() == '1 of 7 runs, about 5 min left: student alone, seed 1 25 %'
    (runs[1].folder.path / LOG).write_text('Epoch(test)  [25/50]\n')  # the end of a log that has no training in it
    assert progress.line() == '1 of 7 runs, about 5 min left: student alone, seed 1 25 %'


@pytest.mark.parametrize(('seconds', 'words'), [(40, '40 s'), (600, '10 min'), (12000, '3 h 20 min')])
def test_durations_are_for_a_person(seconds, words):
    assert in_words(seconds) == words
