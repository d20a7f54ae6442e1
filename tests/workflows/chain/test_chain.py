"""A chain of trainings: the student of each is the teacher of the next."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmkd_video.cli import chain
from mmkd_video.compat import safe_load
from mmkd_video.workflows.chain.links import read_links
from mmkd_video.workflows.train.run_folder import RESULT, RunFolder
from mmkd_video.workflows.train.trial import run_trial

ROOT = Path(__file__).parents[3]


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
        result = dict(metrics={'acc/top1': 0.5 + 0.1 * len(found)}, params=1000, checkpoint=str(path))
        (self.path / RESULT).write_text(json.dumps(result))

    run.failing = ()
    monkeypatch.setattr(RunFolder, '_run', run)
    monkeypatch.setattr('mmkd_video.workflows.chain.chaining.prepare', lambda config, allowed: None)
    monkeypatch.setattr(Config, 'pretty_text', 'formatting it takes seconds')
    monkeypatch.chdir(ROOT)
    return found, run


ASSISTANT = ['configs/distill/i3d_to_resnet.py', 'configs/chain/resnet_to_mobilenet.py']
BORN_AGAIN = ['configs/students/mobilenet_motion.py', 'configs/chain/mobilenet_born_again.py', '--generations', '2']
PROXY = ['configs/students/mobilenet_motion.py', 'configs/chain/mobilenet_to_resnet.py', ASSISTANT[1]]


@pytest.mark.parametrize(
    ('words', 'links'),
    [(ASSISTANT, 2), *(pytest.param(words, 3, marks=pytest.mark.slow) for words in (BORN_AGAIN, PROXY))],
)
def test_each_link_is_taught_by_the_one_before(trained, tmp_path, capsys, words, links):
    (tmp_path / 'i3d.pth').touch()
    options = ['--cfg-options', f'model.teacher.checkpoint={tmp_path / "i3d.pth"}'] if words == ASSISTANT else []
    chain.main([*words, '--work-dir', str(tmp_path), '--seed', '3', *options])
    runs, _ = trained
    assert len(runs) == links
    for number, run in enumerate(runs, 1):
        config = run.config
        assert config.randomness.seed == 3 and run.path.name.startswith(f'{number}_')
        if number > 1:
            checkpoint = config.model.teacher.checkpoint
            assert checkpoint == str(runs[number - 2].path.with_suffix('.pth'))
            assert safe_load.load(checkpoint)['state_dict']['place'] == number - 1
    said = capsys.readouterr().out
    table = (tmp_path / 'table.txt').read_text()
    assert table in said and f'0.{5 + links}000' in table and f'link {links - 1}' in table


@pytest.mark.slow
def test_it_goes_on_where_it_was_interrupted_is_not_done_twice_and_notices_another_teacher(trained, tmp_path, capsys):
    runs, run = trained
    words = [*BORN_AGAIN, '--work-dir', str(tmp_path)]
    run.failing = ('2_mobilenet_born_again',)
    with pytest.raises(SystemExit):
        chain.main(words)
    assert len(runs) == 1 and 'the same command goes on from here' in capsys.readouterr().err
    run.failing = ()
    chain.main(words)
    chain.main(words)
    assert [each.path.name[0] for each in runs] == ['1', '2', '3']
    assert capsys.readouterr().out.count('trained before') == 1 + 3
    torch.save(dict(meta={}, state_dict={}), tmp_path / '1_mobilenet_motion.pth')
    with pytest.raises(SystemExit):
        chain.main(words)
    said = capsys.readouterr().err
    assert '2_mobilenet_born_again holds a run of another config or of another teacher' in said


@pytest.mark.slow
def test_the_link_before_takes_the_place_of_the_teachers_training(monkeypatch):
    monkeypatch.chdir(ROOT)
    first, second = read_links(ASSISTANT)
    assert first.config.prepare.teacher and first.teacher is None
    assert second.config.prepare == dict(data='data/motion_clips', teacher=None) and second.teacher == 'teacher'


TWO = """
_base_ = '{base}'
model = dict(teacher=dict(_delete_=True, a=dict(config='{teacher}', checkpoint=None), b=dict(type='EMATeacher')))
"""


MISTAKES = [
    ([ASSISTANT[0]], 'chain: got one config, configs/distill/i3d_to_resnet.py; expected several, or --generations'),
    ([BORN_AGAIN[0]] * 2, 'link 2, configs/students/mobilenet_motion.py: got a config without a teacher; expected'),
    ([*ASSISTANT, '--generations', '0'], "--generations: got '0'; expected a whole number of at least 1"),
]
READ_SLOWLY = [
    (ASSISTANT[::-1], 'link 2, configs/distill/i3d_to_resnet.py: its teacher is configs/teachers/i3d_motion.py, '),
    ([BORN_AGAIN[0], '{two}'], "two.py: got several teachers, ['a', 'b']; say with --teacher-name"),
    ([BORN_AGAIN[0], '{two}', '--teacher-name', 'c'], "--teacher-name: got 'c'; expected one of ['a', 'b']"),
    ([BORN_AGAIN[0], '{two}', '--teacher-name', 'b'], 'b: got a EMATeacher; expected a teacher with config'),
    ([*ASSISTANT, '--generations', '2'], 'link 3, configs/chain/resnet_to_mobilenet.py: its teacher is configs/'),
]


@pytest.mark.parametrize(
    ('words', 'said'), [*MISTAKES, *(pytest.param(*case, marks=pytest.mark.slow) for case in READ_SLOWLY)]
)
def test_what_cannot_be_a_chain_is_told_before_anything_is_trained(trained, tmp_path, capsys, words, said):
    two = tmp_path / 'two.py'
    two.write_text(TWO.format(base=ROOT / BORN_AGAIN[1], teacher=BORN_AGAIN[0]))
    with pytest.raises(SystemExit):
        chain.main([*(word.format(two=two) for word in words), '--work-dir', str(tmp_path / 'out')])
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert said in message and not (tmp_path / 'out').exists() and trained[0] == []


@pytest.mark.slow
def test_a_student_is_taught_by_what_was_trained_before(tiny, monkeypatch):
    monkeypatch.setattr(RunFolder, '_run', lambda self, lock: run_trial(self.path, splits=self.splits))
    options = ['train_cfg.max_epochs=1', 'train_cfg.val_interval=1']
    out = tiny.folder / 'out'
    chain.main([str(tiny.teacher), str(tiny.distill), '--work-dir', str(out), '--cfg-options', *options])
    assert 'link 1' in (out / 'table.txt').read_text()
    assert [path.name for path in sorted(out.glob('*.pth'))] == ['1_teacher.pth', '2_distill.pth']
    assert not tiny.checkpoint.exists()  # the teacher of the config was not trained
    (log,) = (out / '2_distill').glob('*/vis_data/scalars.json')
    assert 'loss_kd' in log.read_text()
