"""kill -9 at any moment, resume, and the weights are those of the uninterrupted run, bit for bit."""

import signal

import clips
import pytest
from killable_run import assert_same, final_state, launch, random_moment

KILLS = range(10)


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=6)


@pytest.fixture(scope='module')
def uninterrupted(videos, tmp_path_factory):
    """Return a function that gives the final state and the events of a run nobody killed; each kind is run once."""
    done = {}

    def get(kind, loop, workers):
        key = kind, loop
        if key not in done:
            folder = tmp_path_factory.mktemp(f'{kind}-{loop}') / 'run'
            events, code = launch(settings(videos, folder, kind, loop, workers, resume=False))
            assert code == 0, (folder.parent / 'log.txt').read_text()[-3000:]
            done[key] = final_state(folder), events
        return done[key]

    return get


def settings(videos, work_dir, kind, loop, workers, resume=True):
    return dict(videos=videos, work_dir=work_dir, kind=kind, loop=loop, workers=workers, resume=resume)


def finish_and_compare(run, expected):
    _, code = launch(run)
    assert code == 0, (run['work_dir'].parent / 'log.txt').read_text()[-3000:]
    state, place = final_state(run['work_dir'])
    assert place == expected[1]
    assert_same(state, expected[0])
    assert not list(run['work_dir'].glob('.*mmkd-tmp'))


@pytest.mark.slow
def test_killed_while_a_checkpoint_is_written_and_within_an_epoch(videos, uninterrupted, tmp_path):
    expected, _ = uninterrupted('distiller', 'epoch', 0)
    run = settings(videos, tmp_path / 'run', 'distiller', 'epoch', 0)

    def writing_the_second_epoch(events):
        return events.count('iter') == 6 and events[-1] == 'write'

    events, code = launch(run, writing_the_second_epoch)
    assert code == -signal.SIGKILL, (tmp_path / 'log.txt').read_text()[-3000:]
    assert [path.name for path in run['work_dir'].glob('epoch_*.pth')] == ['epoch_1.pth']
    assert list(run['work_dir'].glob('.epoch_2.pth.*mmkd-tmp'))
    events, code = launch(run, lambda events: events.count('iter') == 4)
    assert code == -signal.SIGKILL
    finish_and_compare(run, expected)
    assert sorted(path.name for path in run['work_dir'].glob('epoch_*.pth')) == ['epoch_3.pth', 'epoch_4.pth']


def kill_once(videos, uninterrupted, folder, kind, loop, workers, seed):
    expected, events = uninterrupted(kind, loop, workers)
    run = settings(videos, folder / 'run', kind, loop, workers)
    moment, delay = random_moment(seed, events)
    _, code = launch(run, moment, delay)
    assert code == -signal.SIGKILL, (folder / 'log.txt').read_text()[-3000:]
    finish_and_compare(run, expected)


@pytest.mark.slow
@pytest.mark.parametrize('seed', KILLS[:5])
def test_killed_at_a_random_moment(videos, uninterrupted, tmp_path, seed):
    kill_once(videos, uninterrupted, tmp_path, 'distiller', 'epoch', 0, seed)


@pytest.mark.full
@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('loop', ['epoch', 'iter'])
@pytest.mark.parametrize('kind', ['plain', 'distiller'])
@pytest.mark.parametrize('seed', KILLS)
def test_killed_at_a_random_moment_of_any_training(videos, uninterrupted, tmp_path, seed, kind, loop, workers):
    kill_once(videos, uninterrupted, tmp_path, kind, loop, workers, f'{seed}{kind}{loop}{workers}')
