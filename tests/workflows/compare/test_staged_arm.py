"""A distillation in stages as an arm of a comparison, beside one in a single stage."""

import json

import pytest
import torch
from mmengine.config import Config

from mmkd_video.compat import safe_load
from mmkd_video.hooks.training_clock import META_KEY
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.stages import stages_of
from mmkd_video.workflows.compare.arms import make_arms
from mmkd_video.workflows.compare.grid import Axis, Point
from mmkd_video.workflows.compare.runs import EVALUATION, make_run
from mmkd_video.workflows.train.run_folder import CONFIG, RESULT, RunFolder
from mmkd_video.workflows.train.trial import WEIGHTS, run_trial

TWO = """
_base_ = 'distill.py'
prepare = None
model = dict(teacher=dict(checkpoint=None))
stages = [
    dict(name='distil', labels=False, train_cfg=dict(max_epochs=1),
         model=dict(teacher=dict(checkpoint={first!r}), terms=[dict(type='SimilarityQueueLoss', at='pooled')])),
    dict(name='finetune', train_cfg=dict(max_epochs=1), model=dict(teacher=None)),
]
"""


@pytest.fixture
def configs(tiny):
    """The same distillation in two stages and in one; the first stage has a teacher of its own."""
    two = tiny.folder / 'two.py'
    two.write_text(TWO.format(first=str(tiny.folder / 'first.pth')))
    return {'two': read_config(str(two)), 'one': read_config(str(tiny.distill))}


def test_one_baseline_is_for_stages_and_for_a_single_one(configs, tmp_path) -> None:
    alone, two, one = make_arms(configs)
    runs = [make_run(arm, Point(), 5, EVALUATION, tmp_path).folder.config for arm in (alone, two, one)]
    assert 'stages' not in runs[0] and runs[0].model.type == 'Recognizer2D'
    assert [stage['name'] for stage in runs[1].stages] == ['distil', 'finetune'] and 'stages' not in runs[2]
    assert runs[0].train_cfg == runs[1].train_cfg == runs[2].train_cfg


def test_a_key_of_a_stage_is_tuned(configs) -> None:
    axis = Axis.parse('stages.0.train_cfg.max_epochs=x3')
    ((label, value),) = axis.values(configs['two'])
    assert (label, value) == ('max_epochs x3', 3) and not axis.exists_in(configs['one'])
    changed = Point(label, {axis.key: value}).applied(configs['two'])
    assert changed.stages[0].train_cfg.max_epochs == 3 and configs['two'].stages[0].train_cfg.max_epochs == 1


def test_wrong_stages_are_told_before_anything_is_trained(configs) -> None:
    configs['two'].stages[0]['label'] = False
    with pytest.raises(KeyError, match="unknown key 'label'.*did you mean 'labels'"):
        make_arms(configs)


def test_another_teacher_of_a_stage_makes_another_run(configs, tiny, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(Config, 'pretty_text', 'formatting it takes seconds')
    (tiny.folder / 'first.pth').write_bytes(b'weights')
    RunFolder(tmp_path / 'run', configs['two']).claim()
    RunFolder(tmp_path / 'run', configs['two']).claim()
    (tiny.folder / 'first.pth').write_bytes(b'other weights')
    with pytest.raises(ValueError, match='holds a run of another config or of another teacher'):
        RunFolder(tmp_path / 'run', configs['two']).claim()


@pytest.mark.slow
def test_a_trial_trains_each_stage_once_and_counts_all_their_time(configs, tmp_path) -> None:
    config = configs['two']
    config.stages[0].model.teacher.checkpoint = None
    run = make_run(make_arms(configs)[1], Point(), 0, EVALUATION, tmp_path).folder
    run.claim()
    run_trial(run.path, splits=run.splits)
    result = run.read()
    first = run.path / 'distil' / WEIGHTS
    spent = [safe_load.load(path)['meta'][META_KEY] for path in (first, result['checkpoint'])]
    assert min(spent) > 0 and result['seconds'] == pytest.approx(sum(spent)) and 'acc/top1' in result['metrics']
    begun = Config.fromfile(next(run.path.glob('20*/vis_data/config.py')))
    assert begun.load_from == str(first)
    kept, weights = first.stat().st_mtime_ns, safe_load.load(result['checkpoint'])['state_dict']
    for path in (run.path / RESULT, run.path / 'last_checkpoint', run.path / 'epoch_1.pth'):
        path.unlink()
    run_trial(run.path, splits=run.splits)  # as if it was killed at the beginning of the last stage
    assert first.stat().st_mtime_ns == kept and len(list(first.parent.glob('20*'))) == 1  # one training, one log
    assert [stage.name for stage in stages_of(Config.fromfile(run.path / CONFIG))] == ['distil', 'finetune']
    repeated = json.loads((run.path / RESULT).read_text())
    spent[1] = safe_load.load(repeated['checkpoint'])['meta'][META_KEY]
    assert repeated['seconds'] == pytest.approx(sum(spent))
    again = safe_load.load(repeated['checkpoint'])['state_dict']
    assert all(torch.equal(again[key], weights[key]) for key in weights)
