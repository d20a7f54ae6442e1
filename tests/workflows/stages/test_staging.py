"""One student, trained in stages: what is trained, what is kept, and what is refused."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmkd_video.cli import distill, train
from mmkd_video.compat import safe_load
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.stages.staging import train_stages
from mmkd_video.workflows.train.run_folder import RESULT, RunFolder
from mmkd_video.workflows.train.trial import run_trial

TWO = """
_base_ = 'distill.py'
prepare = None
model = dict(teacher=dict(checkpoint=None))
stages = [
    dict(name='distil', labels=False, train_cfg=dict(max_epochs=3),
         train_dataloader=dict(dataset=dict(unlabelled={root!r})),
         model=dict(terms=[dict(type='SimilarityQueueLoss', at='pooled')])),
    dict(name='finetune', train_cfg=dict(max_epochs=3), model=dict(teacher=None)),
]
"""


@pytest.fixture
def two(tiny):
    """A config of two stages, the first of which takes all videos of a folder, too."""
    path = tiny.folder / 'two.py'
    path.write_text(TWO.format(root=str(tiny.root)))
    return path


@pytest.fixture
def trained(monkeypatch):
    """Folders in which something was 'trained', in place of training anything; ``failing`` ones end with an error."""
    found = []

    def run(self, lock):
        if self.path.name in run.failing:
            raise KeyboardInterrupt
        found.append(self)
        path = self.path / 'epoch_1.pth'
        torch.save(dict(meta={}, state_dict=dict(place=torch.tensor(len(found)))), path)
        (self.path / 'last_checkpoint').write_text(str(path))
        scores = {'val': dict(acc=0.25), 'metrics': dict(acc=0.5)} if self.splits else {}
        (self.path / RESULT).write_text(json.dumps(dict(**scores, seconds=90.0, checkpoint=str(path))))

    run.failing = ()
    monkeypatch.setattr(RunFolder, '_run', run)
    monkeypatch.setattr(Config, 'pretty_text', 'formatting it takes seconds')
    return found, run


def told(words, capsys) -> str:
    with pytest.raises(SystemExit):
        distill.main(words)
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_each_stage_begins_from_the_student_of_the_one_before(trained, two, tmp_path, capsys) -> None:
    runs, run = trained
    out = tmp_path / 'out'
    words = [str(two), '--work-dir', str(out), '--seed', '3']
    run.failing = ('2_finetune',)
    assert 'the same command goes on from here' in told(words, capsys)
    run.failing = ()
    distill.main(words)
    distill.main(words)
    assert [each.path.name for each in runs] == ['1_distil', '2_finetune']
    first, last = (each.config for each in runs)
    assert first.get('load_from') is None and last.load_from == str(out / '1_distil.pth')
    assert first.randomness.seed == last.randomness.seed == 3
    assert (runs[0].splits, runs[1].splits) == ((), ('val', 'test'))
    assert first.model.type == 'Distiller' and last.model.type == 'Recognizer2D'
    assert safe_load.load(out / '2_finetune.pth')['state_dict']['place'] == 2
    said = capsys.readouterr().out
    assert said.count('trained before') == 1 + 2 and f'the student is {out}/2_finetune.pth' in said
    table = (out / 'table.txt').read_text()
    assert table in said and '0.2500' in table and '0.5000' in table and '1.5' in table


def test_other_weights_and_another_config_are_refused(trained, two, tmp_path, capsys) -> None:
    out = tmp_path / 'out'
    words = [str(two), '--work-dir', str(out)]
    distill.main(words)
    longer = told([*words, '--cfg-options', 'stages.0.train_cfg.max_epochs=4'], capsys)
    assert longer.startswith(f'error: {out}/1_distil holds a run of another config')
    rate = told([*words, '--cfg-options', 'stages.1.train_cfg.max_epochs=4'], capsys)
    assert rate.startswith(f'error: {out}/2_finetune holds a run of another config')  # the first stage stays as it is
    torch.save(dict(meta={}, state_dict={}), out / '1_distil.pth')
    changed = told(words, capsys)
    assert changed.startswith(f'error: {out}/2_finetune holds a run of another config') and 'other weights' in changed
    assert len(trained[0]) == 2


def test_what_has_no_stages_or_needs_this_tool_is_told(trained, tiny, two, tmp_path, capsys) -> None:
    out = tmp_path / 'out'
    said = told([str(tiny.distill), '--work-dir', str(out)], capsys)
    assert said.startswith('error: stages: got none in ') and 'tools/train.py trains it' in said and not out.exists()
    with pytest.raises(SystemExit):
        train.main([str(two), '--work-dir', str(out)])
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert 'stages: got 2 in ' in said and 'tools/distill.py trains them in order' in said and not out.exists()


def forked(two: Path, out: Path) -> int:
    """Train the stages in a process without children of its own, so that SIGKILL ends all that is at work."""
    process = os.fork()
    if not process:
        RunFolder._run = lambda self, lock: run_trial(self.path, splits=self.splits)
        try:
            train_stages(read_config(str(two)), out)
        finally:
            os._exit(0)
    return process


def killed_when_there_is(path: Path, two: Path, out: Path) -> None:
    process, end = forked(two, out), time.monotonic() + 240
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)
    assert os.waitpid(process, 0)[1] == signal.SIGKILL and path.exists()


@pytest.mark.slow
def test_killed_in_either_stage_it_goes_on_to_the_same_bits(two, tmp_path) -> None:
    out, whole = tmp_path / 'out', tmp_path / 'whole'
    os.waitpid(forked(two, whole), 0)
    killed_when_there_is(out / '1_distil' / 'epoch_1.pth', two, out)
    assert not (out / '1_distil.pth').exists()
    killed_when_there_is(out / '2_finetune' / 'epoch_1.pth', two, out)
    assert not (out / '2_finetune.pth').exists()
    first = (out / '1_distil.pth').stat().st_mtime_ns
    os.waitpid(forked(two, out), 0)
    assert (out / '1_distil.pth').stat().st_mtime_ns == first
    for name in ('1_distil', '2_finetune'):
        ours, theirs = (safe_load.load(folder / f'{name}.pth')['state_dict'] for folder in (out, whole))
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)
        assert all(key.startswith(('backbone.', 'cls_head.')) for key in ours)  # a plain student
    (log,) = (whole / '1_distil').glob('*/vis_data/scalars.json')
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert all(each['loss_cls'] == 0 and each['loss_similarityqueue'] > 0 for each in entries)
    backbones = [safe_load.load(whole / f'{name}.pth')['state_dict'] for name in ('1_distil', '2_finetune')]
    assert not torch.equal(*(each['backbone.conv1.conv.weight'] for each in backbones))
    results = [json.loads((whole / name / RESULT).read_text()) for name in ('1_distil', '2_finetune')]
    assert 'metrics' not in results[0] and results[0]['seconds'] > 0 and 'acc/top1' in results[1]['metrics']
