"""What a checkpoint says of itself is not believed unseen when a training is resumed."""

import pytest
import torch
from guarded_run import make_runner, validated


def names(folder):
    return sorted(path.name for path in folder.glob('*.pth'))


@pytest.fixture
def trained(tmp_path):
    make_runner(tmp_path, epochs=2).train()
    return tmp_path


@pytest.mark.parametrize(
    ('part', 'said'),
    [
        (dict(meta=dict(epoch=2, iter='x')), "meta.iter='x'; expected a whole number"),
        (dict(meta=7), 'meta=7; expected a dict'),
        (dict(pruning_base='x'), "pruning_base='x'; expected a whole number"),
        (dict(rank_statistics={}), 'rank_statistics={}; expected a list'),
    ],
)
def test_a_checkpoint_that_says_nothing_usable_is_passed_over(trained, capsys, part, said):
    newest = trained / 'epoch_2.pth'
    torch.save({**torch.load(newest, weights_only=False), **part}, newest)
    make_runner(trained, epochs=2, resume=True, log_level='INFO').train()
    log = ''.join(capsys.readouterr())
    assert f'Not resuming from {newest}' in log and said in log and f'Resuming from {trained / "epoch_1.pth"}' in log


@pytest.mark.parametrize('kind', ['file', 'folder'])
def test_a_checkpoint_that_calls_other_files_the_best_one_removes_none(tmp_path, kind):
    precious, work_dir = tmp_path / 'precious', tmp_path / 'run'
    precious.mkdir()
    kept = precious / 'best_a.pth'
    kept.write_text('kept')
    validated(work_dir, [0.5], epochs=1, max_keep_ckpts=2).train()
    loaded = torch.load(work_dir / 'epoch_1.pth', weights_only=False)
    named = dict(best_ckpt=str(kept if kind == 'file' else precious), keep_ckpt_ids=['/../../precious/best_a', 1, 2, 3])
    loaded['message_hub']['runtime_info'].update(named)
    torch.save(loaded, work_dir / 'epoch_1.pth')
    validated(work_dir, [0.9, 0.95], epochs=3, max_keep_ckpts=2).train()
    assert kept.read_text() == 'kept'
    assert 'best_acc_top1_epoch_3.pth' in names(work_dir) and 'best_acc_top1_epoch_2.pth' not in names(work_dir)
