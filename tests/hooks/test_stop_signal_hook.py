import os
import re
import signal
import time
from pathlib import Path

import pytest
import torch.distributed as dist
from guarded_run import ScriptedScore, make_runner
from killable_run import assert_same, final_state
from mmengine.hooks import Hook
from torch.multiprocessing import start_processes

from mmkd_video.compat import safe_load
from mmkd_video.core.registry import HOOKS
from mmkd_video.hooks.stop_signal_hook import StopSignalHook

OURS = [
    dict(type='ReproducibleHook'),
    dict(type='CheckpointGuardHook'),
    dict(type='StopSignalHook'),
]
SHUFFLED = dict(
    dataset=dict(type='GuardedNoise'), sampler=dict(type='DefaultSampler', shuffle=True), batch_size=2, num_workers=0
)
BY_ITERATIONS = dict(
    train_cfg=dict(type='IterBasedTrainLoop', max_iters=9, val_interval=3),
    hook=dict(interval=3, by_epoch=False),
    train_dataloader=dict(SHUFFLED, sampler=dict(type='InfiniteSampler', shuffle=True)),
)
VALIDATED = dict(
    val_dataloader=dict(SHUFFLED, sampler=dict(type='DefaultSampler', shuffle=False)),
    val_cfg=dict(),
    val_evaluator=dict(type='ScriptedScore'),
)


@HOOKS.register_module(force=True)
class SignalAt(Hook):
    """Sends this process a signal in the middle of a training step, or of a validation; notes what was trained on."""

    def __init__(self, iteration=-1, number=signal.SIGTERM, validation=-1, rank=0):
        self.iteration, self.number, self.validation, self.rank = iteration, number, validation, rank
        self.seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.seen.append((runner.epoch, batch_idx, runner.iter, [float(each[0]) for each in data_batch]))
        if runner.iter == self.iteration and (not dist.is_initialized() or dist.get_rank() == self.rank):
            os.kill(os.getpid(), self.number)

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.validation and batch_idx == 1:
            os.kill(os.getpid(), self.number)


def run(work_dir, resume=False, custom=OURS, epochs=3, **settings):
    """Train; return what every iteration saw. ``settings`` are those of the signal and of the runner."""
    sent = {key: settings.pop(key) for key in ('iteration', 'number', 'validation', 'rank') if key in settings}
    runner = make_runner(
        work_dir,
        epochs=epochs,
        resume=resume,
        custom_hooks=[*custom, dict(type='SignalAt', **sent)],
        param_scheduler=[dict(type='StepLR', step_size=1, gamma=0.5)],
        **{'train_dataloader': SHUFFLED, **settings},
    )
    signal_at = next(hook for hook in runner.hooks if isinstance(hook, SignalAt))
    try:
        runner.train()
    except SystemExit as ended:
        return signal_at.seen, ended.code
    return signal_at.seen, 0


@pytest.fixture(autouse=True)
def _handlers():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as in the foreground
    yield
    for number, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize('iteration', range(9))
def test_sigterm_at_any_step_of_an_epoch_is_resumed_to_the_bit(tmp_path, iteration, capsys):
    seen, _ = run(tmp_path / 'whole')
    first, code = run(tmp_path / 'run', iteration=iteration)
    assert code == 143
    stopped = tmp_path / 'run' / f'interrupted_{iteration + 1}.pth'
    assert (tmp_path / 'run' / 'last_checkpoint').read_text() == str(stopped) and stopped.is_file()
    assert f'stopped after iteration {iteration + 1}; --resume goes on from {stopped}' in capsys.readouterr().err
    second, code = run(tmp_path / 'run', resume=True)
    assert code == 0
    assert first + second == seen
    for expected, got in zip(final_state(tmp_path / 'whole'), final_state(tmp_path / 'run'), strict=True):
        assert_same(got, expected)
    assert not list((tmp_path / 'run').glob('interrupted_*'))


@pytest.mark.parametrize('iteration', [1, 2, 4])
def test_a_loop_over_iterations_goes_on_too(tmp_path, iteration):
    seen, _ = run(tmp_path / 'whole', **BY_ITERATIONS)
    first, code = run(tmp_path / 'run', iteration=iteration, **BY_ITERATIONS)
    second, _ = run(tmp_path / 'run', resume=True, **BY_ITERATIONS)
    assert code == 143 and first + second == seen
    for expected, got in zip(final_state(tmp_path / 'whole'), final_state(tmp_path / 'run'), strict=True):
        assert_same(got, expected)


@pytest.mark.parametrize(
    ('settings', 'moment'),
    [({}, dict(validation=3)), (BY_ITERATIONS, dict(validation=3)), (BY_ITERATIONS, dict(iteration=2))],
)
def test_a_validation_that_was_left_is_made_up_for(tmp_path, monkeypatch, settings, moment):
    monkeypatch.setattr(ScriptedScore, 'scores', [0.1, 0.2, 0.3])
    settings = {**settings, **VALIDATED}
    _, code = run(tmp_path / 'run', **moment, **settings)
    assert code == 143 and len(ScriptedScore.scores) == 3
    _, code = run(tmp_path / 'run', resume=True, **settings)
    assert code == 0 and ScriptedScore.scores == []


def test_ctrl_c_ends_with_its_own_code_and_a_second_one_at_once(tmp_path):
    assert run(tmp_path / 'run', iteration=1, number=signal.SIGINT)[1] == 130
    hook = StopSignalHook()
    hook._handle(signal.SIGINT, None)
    hook._handle(signal.SIGTERM, None)
    with pytest.raises(KeyboardInterrupt):
        hook._handle(signal.SIGINT, None)
    hook._timer.cancel()


def test_of_several_ranks_none_is_killed_while_it_ends(tmp_path, monkeypatch):
    run(tmp_path / 'alone', iteration=1)
    assert signal.getsignal(signal.SIGTERM) != signal.SIG_IGN
    monkeypatch.setattr('mmkd_video.hooks.stop_signal_hook.get_world_size', lambda: 2)
    assert run(tmp_path / 'run', iteration=1)[1] == 143
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN


def test_in_the_background_ctrl_c_stays_ignored(tmp_path):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert run(tmp_path / 'run', iteration=1, number=signal.SIGINT)[1] == 0


def test_gradients_that_are_being_accumulated_are_not_lost(tmp_path):
    optim = dict(optimizer=dict(type='SGD', lr=0.01), accumulative_counts=4)
    run(tmp_path / 'run', iteration=1, optim_wrapper=optim)
    assert [path.name for path in (tmp_path / 'run').glob('interrupted*')] == ['interrupted_4.pth']


def test_an_epoch_of_another_length_is_refused(tmp_path):
    run(tmp_path / 'run', iteration=4)
    (tmp_path / 'run' / 'mmkd_run.json').unlink()
    longer = dict(SHUFFLED, batch_size=1)
    with pytest.raises(ValueError, match='interrupted_5.*saved within an epoch.*another data set or batch size'):
        run(tmp_path / 'run', resume=True, custom=OURS[:2], train_dataloader=longer)


def test_without_a_step_in_time_the_process_ends_all_the_same():
    process = os.fork()
    if not process:
        StopSignalHook(grace=0.05)._handle(signal.SIGTERM, None)
        time.sleep(30)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 143


def on_two_ranks(rank: int, folder: str) -> None:
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    seen, code = run(Path(folder, 'run'), iteration=1, rank=1)
    Path(folder, f'{rank}.txt').write_text(f'{code} {seen[-1][2]}')
    dist.destroy_process_group()


def test_all_ranks_end_after_the_same_step(tmp_path):
    start_processes(on_two_ranks, (str(tmp_path),), nprocs=2, start_method='fork')
    assert [(tmp_path / f'{rank}.txt').read_text() for rank in range(2)] == ['143 1', '143 1']
    assert safe_load.load(tmp_path / 'run' / 'interrupted_2.pth')['meta']['iter'] == 2


def descendants():
    """Return the processes that this one has started and that still run."""
    text = Path(f'/proc/{os.getpid()}/task/{os.getpid()}/children').read_text()
    return [int(number) for number in re.findall(r'\d+', text)]


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_workers_outlive_a_signal_to_the_whole_group_and_end_with_the_training(tmp_path, number):
    loader = dict(SHUFFLED, num_workers=2, persistent_workers=True)
    seen, _ = run(tmp_path / 'whole')
    process = os.fork()
    if not process:
        os.setsid()
        os.kill = lambda _, number: os.killpg(0, number)
        code = run(tmp_path / 'run', iteration=4, number=number, train_dataloader=loader)[1]
        os._exit(code if len(descendants()) == 2 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 128 + number
    time.sleep(0.5)
    assert seen[5:] == run(tmp_path / 'run', resume=True)[0]
