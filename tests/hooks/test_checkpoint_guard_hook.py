import json
import os
import stat
from pathlib import Path

import pytest
import torch
from damaged_file import damage_weights
from guarded_run import ScriptedScore, make_runner, validated
from mmengine.hooks import CheckpointHook

from mmkd_video.compat import safe_load
from mmkd_video.core.files.atomic import AtomicBackend
from mmkd_video.hooks import checkpoint_guard_hook
from mmkd_video.hooks.atomic_checkpoint_hook import AtomicCheckpointHook
from mmkd_video.hooks.resume_point import ResumePoint


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob('*.pth'))


def save(path: Path, epoch: int, iteration: int, **extra) -> Path:
    parts = dict(meta=dict(epoch=epoch, iter=iteration), state_dict={}, message_hub={}, optimizer={})
    torch.save({**parts, **extra}, path)
    return path


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    make_runner(tmp_path, epochs=2).train()
    return tmp_path


# -- the stock hook gives way -------------------------------------------------------------------------------------


def test_stock_hook_is_replaced_in_place_with_its_settings(tmp_path):
    runner = make_runner(tmp_path, hook=dict(interval=2, max_keep_ckpts=3, save_best='acc/top1', rule='greater'))
    place, stock = next((i, h) for i, h in enumerate(runner.hooks) if type(h) is CheckpointHook)
    runner.train()
    assert type(runner.hooks[place]) is AtomicCheckpointHook
    assert (runner.hooks[place].interval, runner.hooks[place].max_keep_ckpts) == (2, 3)
    assert runner.hooks[place].priority == stock.priority
    assert names(tmp_path) == ['epoch_2.pth', 'epoch_3.pth']


def test_subclass_of_the_stock_hook_is_left_alone(tmp_path):
    class Own(CheckpointHook):
        pass

    runner = make_runner(tmp_path, epochs=1)
    index = next(i for i, h in enumerate(runner.hooks) if type(h) is CheckpointHook)
    runner.hooks[index] = Own(interval=1)
    runner.train()
    assert type(runner.hooks[index]) is Own


# -- resume finds the newest whole checkpoint ---------------------------------------------------------------------


def test_resume_goes_on_and_equals_the_uninterrupted_run(trained, tmp_path_factory):
    whole = tmp_path_factory.mktemp('whole')
    make_runner(whole, epochs=4).train()
    runner = make_runner(trained, epochs=4, resume=True)
    runner.train()
    assert runner.epoch == 4
    expected = safe_load.load(whole / 'epoch_4.pth')
    got = safe_load.load(trained / 'epoch_4.pth')
    torch.testing.assert_close(got['state_dict'], expected['state_dict'], rtol=0, atol=0)


@pytest.mark.parametrize('damage', ['truncated', 'empty', 'not a checkpoint', 'incomplete', 'bit', 'block'])
def test_unreadable_newest_falls_back_to_the_one_before_and_says_so(trained, damage, capsys):
    newest = trained / 'epoch_2.pth'
    if damage == 'truncated':
        newest.write_bytes(newest.read_bytes()[:1000])
    elif damage == 'empty':
        newest.write_bytes(b'')
    elif damage == 'not a checkpoint':
        torch.save([1, 2], newest)
    elif damage in ('bit', 'block'):
        damage_weights(newest, damage)
    else:
        parts = safe_load.load(newest)
        parts.pop('optimizer')
        torch.save(parts, newest)
    runner = make_runner(trained, epochs=2, resume=True, log_level='INFO')
    runner.train()
    output = capsys.readouterr()
    log = output.out + output.err
    assert f'Not resuming from {newest}' in log
    assert f'Resuming from {trained / "epoch_1.pth"}' in log
    assert 'resumed epoch: 1, iter: 3' in log
    assert safe_load.load(newest)['meta']['iter'] == 6


def test_pickle_that_runs_code_is_not_run(trained):
    class Evil:
        def __reduce__(self):
            return os.system, (f'touch {trained}/executed',)

    torch.save(dict(meta=Evil()), trained / 'epoch_2.pth')
    make_runner(trained, epochs=2, resume=True).train()
    assert not (trained / 'executed').exists()


@pytest.mark.parametrize('content', [None, '', '/nowhere/epoch_2.pth'])
def test_lost_last_checkpoint_is_found_again(trained, content):
    if content is None:
        (trained / 'last_checkpoint').unlink()
    else:
        (trained / 'last_checkpoint').write_text(content)
    runner = make_runner(trained, epochs=2, resume=True)
    runner.train()
    assert (trained / 'last_checkpoint').read_text() == str(trained / 'epoch_2.pth')


def test_checkpoints_of_an_older_longer_run_are_not_mistaken_for_the_newest(tmp_path):
    for step in (1, 2, 9):
        save(tmp_path / f'epoch_{step}.pth', step, 3 * step)
    (tmp_path / 'epoch_3.pth').write_bytes(b'half')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    point = ResumePoint(tmp_path, [(tmp_path, 'epoch_{}.pth')], iters_per_epoch=3)
    assert point.find() == tmp_path / 'epoch_2.pth'


def test_epoch_loop_takes_only_the_end_of_an_epoch_and_an_iteration_loop_any(tmp_path):
    save(tmp_path / 'iter_3.pth', 1, 3)
    middle = save(tmp_path / 'iter_4.pth', 1, 4)
    (tmp_path / 'last_checkpoint').write_text(str(middle))
    patterns = [(tmp_path, 'iter_{}.pth')]
    assert ResumePoint(tmp_path, patterns, iters_per_epoch=3).find() == tmp_path / 'iter_3.pth'
    assert ResumePoint(tmp_path, patterns).find() == middle


def test_first_epoch_starts_anew(tmp_path):
    save(tmp_path / 'iter_2.pth', 0, 2)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_2.pth'))
    runner = make_runner(tmp_path, epochs=1, hook=dict(interval=2, by_epoch=False), resume=True)
    runner.train()
    assert runner.iter == 3


def test_another_number_of_iterations_in_an_epoch_is_an_error_not_a_fresh_start(tmp_path):
    save(tmp_path / 'epoch_4.pth', 4, 400)
    point = ResumePoint(tmp_path, [(tmp_path, 'epoch_{}.pth')], iters_per_epoch=50)
    with pytest.raises(ValueError, match='4 epochs and 400 iterations, but 4 epochs of this run are 200 iterations'):
        point.find()


def test_nothing_readable_is_an_error(trained):
    for path in trained.glob('*.pth'):
        path.write_bytes(b'half')
    with pytest.raises(ValueError, match='(?s)none of its checkpoints serves.*epoch_1.pth.*choose another --work-dir'):
        make_runner(trained, resume=True).train()


def test_resume_in_an_empty_folder_starts_from_the_beginning(tmp_path):
    runner = make_runner(tmp_path, epochs=1, resume=True)
    runner.train()
    assert runner.epoch == 1


def test_best_checkpoint_without_optimizer_is_never_resumed_from(tmp_path):
    save(tmp_path / 'epoch_1.pth', 1, 3)
    (tmp_path / 'epoch_1.pth').replace(tmp_path / 'best_acc_top1_epoch_1.pth')
    assert ResumePoint(tmp_path, [(tmp_path, 'epoch_{}.pth')], iters_per_epoch=3).find() is None


@pytest.mark.parametrize(
    ('prepare', 'error', 'message'),
    [
        (lambda path: None, FileNotFoundError, 'no such file'),
        (lambda path: path.write_bytes(b'half'), ValueError, 'it cannot be read'),
        (lambda path: save(path, 1, 4), ValueError, 'after 1 epochs and 4 iterations'),
    ],
)
def test_named_checkpoint_that_cannot_serve_is_an_error(tmp_path, prepare, error, message):
    path = tmp_path / 'mine.pth'
    prepare(path)
    with pytest.raises(error, match=message):
        make_runner(tmp_path, resume=True, load_from=str(path)).train()


def test_weights_to_start_from_are_not_held_to_the_rules_of_resuming(trained, tmp_path):
    weights = tmp_path / 'weights.pth'
    torch.save(safe_load.load(trained / 'epoch_2.pth')['state_dict'], weights)
    runner = make_runner(tmp_path / 'fresh', epochs=1, load_from=str(weights))
    runner.train()
    assert runner.epoch == 1


def test_temporary_files_of_a_killed_writer_are_removed(trained):
    stale = trained / '.epoch_3.pth.123.mmkd-tmp'
    stale.write_bytes(b'half')
    make_runner(trained, resume=True).train()
    assert not stale.exists()
    assert not list(trained.glob('.*mmkd-tmp'))


# -- one work_dir, one model --------------------------------------------------------------------------------------


def test_work_dir_of_another_config_is_refused_with_the_difference(trained):
    before = (trained / 'mmkd_run.json').read_bytes()
    other = dict(type='GuardedToy', tags=('a',))
    with pytest.raises(ValueError, match=r"model\.tags\.0: got 'a', expected '\(not set\)'[\s\S]*another --work-dir"):
        make_runner(trained, model=other).train()
    assert (trained / 'mmkd_run.json').read_bytes() == before


NOISE = dict(
    dataset=dict(type='GuardedNoise'), sampler=dict(type='DefaultSampler', shuffle=False), batch_size=2, num_workers=0
)


@pytest.mark.parametrize('resume', [True, False])
@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        (dict(train_dataloader=dict(NOISE, batch_size=3)), 'train_dataloader.batch_size: got 3, expected 2'),
        (dict(train_dataloader=dict(NOISE, drop_last=True)), r'drop_last: got True, expected .\(not set\).'),
        (dict(optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.5, momentum=0.9))), 'lr: got 0.5, expected 0.01'),
        (dict(param_scheduler=[dict(type='ConstantLR', factor=0.5)]), 'param_scheduler.0.factor: got 0.5'),
        (dict(randomness=dict(seed=7)), 'randomness.seed: got 7, expected 0'),
    ],
    ids=['batch', 'data', 'optimizer', 'schedule', 'seed'],
)
def test_work_dir_of_another_training_is_refused_with_the_difference(trained, changed, message, resume):
    before = (trained / 'mmkd_run.json').read_bytes()
    with pytest.raises(ValueError, match=rf'another training config:[\s\S]*{message}[\s\S]*mmkd_run.json alone'):
        make_runner(trained, resume=resume, **changed).train()
    assert (trained / 'mmkd_run.json').read_bytes() == before


def test_without_its_record_a_work_dir_is_gone_on_with(trained):
    (trained / 'mmkd_run.json').unlink()
    runner = make_runner(trained, resume=True, randomness=dict(seed=7))
    runner.train()
    assert json.loads((trained / 'mmkd_run.json').read_text())['training']['randomness.seed'] == 7


def test_what_does_not_decide_the_weights_may_change(trained):
    changed = dict(
        train_dataloader=dict(NOISE, num_workers=1, persistent_workers=True, pin_memory=False),
        randomness=dict(seed=0, diff_rank_seed=False),
        log_level='ERROR',
    )
    runner = make_runner(trained, epochs=4, resume=True, **changed)
    runner.train()
    assert runner.epoch == 4


def test_same_config_with_lists_for_tuples_is_the_same(tmp_path):
    make_runner(tmp_path, epochs=1, model=dict(type='GuardedToy', tags=('a', 'b'))).train()
    make_runner(tmp_path, epochs=2, resume=True, model=dict(tags=['a', 'b'], type='GuardedToy')).train()


def test_work_dir_without_checkpoints_may_change_its_config(trained):
    for path in trained.glob('*.pth'):
        path.unlink()
    make_runner(trained, epochs=1, model=dict(type='GuardedToy', tags=('b',))).train()
    assert json.loads((trained / 'mmkd_run.json').read_text())['model']['tags.0'] == 'b'


# -- all ranks get the decision of rank 0 -------------------------------------------------------------------------


def test_other_ranks_take_the_decision_or_the_error_of_rank_0(trained, monkeypatch):
    def receive(decision):
        decision[:] = [None, ValueError('rank 0 says no')]

    monkeypatch.setattr(checkpoint_guard_hook, 'is_main_process', lambda: False)
    monkeypatch.setattr(checkpoint_guard_hook, 'broadcast_object_list', receive)
    with pytest.raises(ValueError, match='rank 0 says no'):
        make_runner(trained, resume=True).train()


def test_other_ranks_resume_from_the_file_of_rank_0(trained, monkeypatch):
    def receive(decision):
        decision[:] = [str(trained / 'epoch_1.pth'), None]

    monkeypatch.setattr(checkpoint_guard_hook, 'is_main_process', lambda: False)
    monkeypatch.setattr(checkpoint_guard_hook, 'broadcast_object_list', receive)
    runner = make_runner(trained, epochs=1, resume=True)
    runner.train()
    assert runner.iter == 3


# -- whole files only ---------------------------------------------------------------------------------------------


def test_old_checkpoint_is_deleted_only_after_the_new_one_and_last_checkpoint(tmp_path, monkeypatch):
    runner = make_runner(tmp_path, epochs=3, hook=dict(interval=1, max_keep_ckpts=1))
    seen = []
    unlink = Path.unlink

    def watch(path, missing_ok=False):
        if path.suffix == '.pth':
            last = Path((tmp_path / 'last_checkpoint').read_text())
            seen.append((path.name, last.name, safe_load.load(last)['meta']['epoch']))
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, 'unlink', watch)
    runner.train()
    assert seen == [('epoch_1.pth', 'epoch_2.pth', 2), ('epoch_2.pth', 'epoch_3.pth', 3)]
    assert names(tmp_path) == ['epoch_3.pth']


def test_failed_write_leaves_the_old_file_and_no_temporary_one(trained, monkeypatch):
    before = (trained / 'epoch_2.pth').read_bytes()

    def full_disk(descriptor):
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_size > 1000:
            raise OSError(28, 'No space left on device')

    runner = make_runner(trained, epochs=3, hook=dict(interval=1, max_keep_ckpts=1), resume=True)
    monkeypatch.setattr(os, 'fsync', full_disk)
    with pytest.raises(OSError, match='No space left'):
        runner.train()
    monkeypatch.undo()
    assert (trained / 'epoch_2.pth').read_bytes() == before
    assert not list(trained.glob('.*mmkd-tmp'))


def test_file_written_again_under_its_name_is_not_removed(tmp_path):
    backend = AtomicBackend()
    for name in ('again', 'old'):
        backend.put(b'first', tmp_path / name)
        backend.remove(tmp_path / name)
    backend.put(b'second', tmp_path / 'again')
    backend.remove_outdated(keep={str(tmp_path / 'again')})
    assert [path.name for path in tmp_path.iterdir()] == ['again']
    assert (tmp_path / 'again').read_bytes() == b'second'


def test_best_checkpoint_is_kept_and_remembered_over_a_resume(tmp_path):
    validated(tmp_path, [0.5, 0.7], epochs=2, max_keep_ckpts=2).train()
    assert names(tmp_path) == ['best_acc_top1_epoch_2.pth', 'epoch_1.pth', 'epoch_2.pth']
    validated(tmp_path, [0.6, 0.9], epochs=4, max_keep_ckpts=2).train()
    assert names(tmp_path) == ['best_acc_top1_epoch_4.pth', 'epoch_3.pth', 'epoch_4.pth']
    hub = safe_load.load(tmp_path / 'epoch_4.pth')['message_hub']['runtime_info']
    assert hub['best_ckpt'] == str(tmp_path / 'best_acc_top1_epoch_4.pth')
    assert hub['keep_ckpt_ids'] == [3, 4]


def test_same_files_as_the_stock_hook(tmp_path):
    for guard in (True, False):
        ScriptedScore.scores = [0.5, 0.4, 0.6]
        runner = make_runner(
            tmp_path / str(guard),
            hook=dict(
                interval=1, max_keep_ckpts=2, save_best='acc/top1', rule='greater', published_keys=['state_dict']
            ),
            val_dataloader=make_runner(tmp_path / 'unused', guard=False)._train_dataloader,
            val_cfg=dict(),
            val_evaluator=dict(type='ScriptedScore'),
            guard=guard,
        )
        runner.train()
    ours, stock = [sorted(name.split('-')[0] for name in names(tmp_path / str(guard))) for guard in (True, False)]
    assert ours == stock
    assert len(ours) == 5
    states = [safe_load.load(tmp_path / str(guard) / 'epoch_3.pth') for guard in (True, False)]
    assert states[0].keys() == states[1].keys()
