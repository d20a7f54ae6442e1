"""Who is tuned on what, and evaluated with which settings; trainings are replaced by a formula."""

import json

import pytest
from mmengine.config import Config

from mmkd_video.workflows.compare import protocol
from mmkd_video.workflows.compare.picture import draw_comparison
from mmkd_video.workflows.compare.result import Comparison
from mmkd_video.workflows.compare.runs import TEACHER, TUNING, Ledger
from mmkd_video.workflows.compare.splits import check_splits
from mmkd_video.workflows.compare.table import as_markdown, as_text

LR, WEIGHT = 'optim_wrapper.optimizer.lr', 'model.terms.0.weight'


class Trainings:
    """Run in the place of trainings: the student alone is best at a rate of 0.02, distilled at 0.01."""

    def __init__(self, monkeypatch):
        self.runs, self.failing = [], lambda run: False
        monkeypatch.setattr(protocol, 'run_all', self.run_all)

    def run_all(self, runs, jobs, progress, on_result, on_failure):
        for run in runs:
            self.runs.append(run)
            if self.failing(run):
                on_failure(run, 'exit code 1')
            else:
                on_result(run, self.result(run))

    def result(self, run):
        lr = run.folder.config.optim_wrapper.optimizer.lr
        distilled = run.folder.config.model.type == 'Distiller'
        score = 0.8 - 10 * abs(lr - (0.01 if distilled else 0.02)) + 0.001 * (run.seed or 0) % 0.01
        score += 0.05 * distilled if run.purpose != TEACHER else 0.2
        found = {split: {'acc/top1': score + (split == 'val') * 0.01} for split in run.splits}
        found['metrics'] = found.pop('test', {})
        return dict(found, params=1000, gflops=0.1, seconds=60.0, cpu_seconds=50.0 + 25 * distilled, device='cpu')


@pytest.fixture
def trainings(monkeypatch):
    return Trainings(monkeypatch)


@pytest.fixture
def compare(tiny, tmp_path):
    def run(seeds=(0, 1), configs=None, **given):
        return protocol.compare(
            configs or dict(distill=Config.fromfile(tiny.distill)), seeds, tmp_path / 'out', **given
        )

    return run


def test_without_a_grid_both_run_as_shipped(trainings, compare):
    found = compare()
    assert [run.title for run in trainings.runs] == [
        'teacher',
        'student alone, seed 0',
        'student distilled, seed 0',
        'student alone, seed 1',
        'student distilled, seed 1',
    ]
    (section,) = found.sections
    assert section.alone.scores == pytest.approx([0.7, 0.701]) and section.distilled[0].mean == pytest.approx(0.8505)
    assert found.teachers[0].score == pytest.approx(0.9) and found.tuning == []
    saved = json.loads(json.dumps(found.as_dict()))
    assert Comparison.from_dict(saved) == found
    assert saved['findings'][0]['wins'] == 2 and saved['findings'][0]['closed'] == pytest.approx(0.15 / 0.1995)


def test_each_arm_is_evaluated_where_it_was_best_on_validation(trainings, compare):
    found = compare(grid=[f'{LR}=x0.5,x1,x2'])
    untouched, best = found.sections
    assert [row.label for row in untouched.rows] == ['recipe untouched'] * 2
    assert [row.label for row in best.rows] == ['lr x2', 'recipe untouched']
    assert best.alone.mean == pytest.approx(0.8005)
    tuning = [run for run in trainings.runs if run.purpose == TUNING]
    assert len(tuning) == 2 * 3 * 2 and {run.seed for run in tuning} == {1000, 1001}
    assert all(run.splits == ('val',) for run in tuning)  # nothing of test exists when the choice is made
    assert {run.seed for run in trainings.runs if run.purpose == 'evaluation'} == {0, 1}
    assert [(each.arm, each.label) for each in found.tuning if each.chosen] == [
        ('student alone', 'lr x2'),
        ('student distilled', 'recipe untouched'),
    ]


def test_the_choice_is_made_on_validation_not_on_test(trainings, compare, monkeypatch):
    def result(run):
        found, lr = Trainings.result(trainings, run), run.folder.config.optim_wrapper.optimizer.lr
        found['metrics'] = {'acc/top1': 1 - 10 * lr} if 'test' in run.splits else {}
        if 'val' in run.splits:
            found['val'] = {'acc/top1': 10 * lr}
        return found

    monkeypatch.setattr(trainings, 'result', result)
    best = compare(grid=[f'{LR}=x0.5,x2']).sections[1]
    assert {row.label for row in best.rows} == {'lr x2'} and best.alone.mean == pytest.approx(0.8)


def test_an_arm_without_a_key_has_as_many_trials(trainings, compare):
    found = compare(grid=[f'{LR}=x1,x2', f'{WEIGHT}=x1,x2,x4'])
    trials = {
        name: [each for each in found.tuning if each.arm == name] for name in ('student alone', 'student distilled')
    }
    assert [len(each) for each in trials.values()] == [2, 6]
    assert [sum(len(point.seeds) for point in each) for each in trials.values()] == [12, 12]
    assert f'The student alone does not have {WEIGHT}' in as_text(found)
    assert all(WEIGHT not in each.settings for each in trials['student alone'])


def test_every_point_is_evaluated_on_all_seeds(trainings, compare):
    found = compare(grid=[f'{LR}=x0.5,x1,x2'], tuning_seeds=[], at_grid=True)
    points = [section for section in found.sections if section.in_grid]
    assert [section.title for section in points] == ['recipe untouched', 'lr x0.5', 'lr x2'] and found.tuning == []
    assert len(trainings.runs) == 1 + 3 * 2 * 2
    text = as_text(found)
    assert 'Student distilled: not more than one point below the student alone in 4 of 6 pairs' in text


def test_arms_share_one_baseline(trainings, compare, tiny):
    configs = {name: Config.fromfile(tiny.distill) for name in 'ab'}
    configs['b'].model.terms[0].weight = 2.0
    found = compare(configs=configs)
    assert [row.arm for row in found.sections[0].rows] == [
        'student alone',
        'student distilled: a',
        'student distilled: b',
    ]
    assert [run.arm for run in trainings.runs].count('student alone') == 2
    assert [run.purpose for run in trainings.runs].count(TEACHER) == 1  # both have the same


def test_alone_for_as_long_has_the_epochs_that_cpu_time_buys(trainings, compare):
    found = compare(as_long=True)
    alone, distilled, longer = found.sections[0].rows
    assert (longer.length, longer.of) == ('3 epochs', distilled.arm)  # 2 epochs, 1.5 times the cost
    run = next(run for run in trainings.runs if run.arm == longer.arm)
    assert run.folder.config.train_cfg.max_epochs == 3 and run.folder.config.model.type == 'Recognizer2D'
    assert [other.arm for _, other in found.sections[0].pairs()] == [alone.arm, longer.arm]
    assert 'distilled - alone, as long' in as_text(found) and 'student alone, as long (3 epochs)' in as_markdown(found)


def test_a_failed_run_is_missing_and_stops_nobody(trainings, compare):
    trainings.failing = lambda run: run.title == 'student alone, seed 1'
    found = compare(seeds=(0, 1, 2))
    assert found.missing == ['student alone, seed 1'] and found.sections[0].alone.scores[1] is None
    text = as_text(found)
    assert (
        '2 of 2, 1 missing' in text
        and 'no difference shown' in text
        and 'MISSING, since they failed: student alone, seed 1' in text
    )
    assert [trial['failed'] for trial in found.trials].count(True) == 1


def test_students_that_all_fail_leave_a_table_that_says_so(trainings, compare, tmp_path):
    trainings.failing = lambda run: run.purpose != TEACHER
    found = compare(as_long=True)
    assert len(found.missing) == 4 and as_text(found).count('missing') == 3
    assert 'its time was not measured' in as_text(found)
    draw_comparison(found, tmp_path / 'c.png')
    trainings.failing = lambda run: True
    with pytest.raises(RuntimeError, match='nothing was measured: teacher; student alone, seed 0'):
        compare()


def test_rounding_that_differs_is_told(trainings, compare, monkeypatch):
    result = trainings.result
    monkeypatch.setattr(trainings, 'result', lambda run: dict(result(run), threads=1 + (run.seed == 1), cpu='AVX2'))
    text = as_text(compare())
    assert 'rounding differs: device cpu, threads 1, cpu AVX2; device cpu, threads 2, cpu AVX2.' in text


def test_a_point_with_a_failed_trial_is_not_chosen(trainings, compare):
    trainings.failing = lambda run: run.purpose == TUNING and run.settings.get(LR) == 0.02 and run.seed == 1001
    found = compare(grid=[f'{LR}=x2,x2.5'])
    assert found.sections[1].alone.label == 'lr x2.5'


def test_the_saved_list_holds_the_trials_of_earlier_calls(trainings, compare, tmp_path):
    compare(grid=[f'{LR}=x2'])
    found = compare(grid=[f'{LR}=x4'])
    tried = {(trial['arm'], trial['settings'].get(LR), trial['seed'], trial['purpose']) for trial in found.trials}
    assert ('student alone', 0.02, 1000, TUNING) in tried and ('student distilled', 0.04, 1001, TUNING) in tried
    assert len(tried) == len(found.trials)
    assert all(trial['test'] is None for trial in found.trials if trial['purpose'] == TUNING)
    (tmp_path / 'out' / 'trials.jsonl').open('a').write('{"arm": "stud')  # of a writer that was killed
    assert Ledger(tmp_path / 'out').trials == found.trials
    assert {trial['run'] for trial in found.trials} >= {'student_alone/seed0'}
    Ledger(tmp_path / 'out').add(dict(arm='other', seed=7, purpose=TUNING))  # after half a line
    assert Ledger(tmp_path / 'out').trials == [*found.trials, dict(arm='other', seed=7, purpose=TUNING)]


def test_a_seed_is_for_tuning_or_for_evaluation(trainings, compare):
    with pytest.raises(ValueError, match='1, 2 would be for tuning and for evaluation'):
        compare(seeds=(0, 1, 2), grid=[f'{LR}=x2'], tuning_seeds=(2, 1))
    compare(seeds=(0,), grid=[f'{LR}=x2'], tuning_seeds=(5,))
    with pytest.raises(ValueError, match='5 would be for tuning and for evaluation'):
        compare(seeds=(5,))  # in an earlier call


def test_nothing_is_chosen_on_test(trainings, compare, tiny, tmp_path):
    config = Config.fromfile(tiny.distill)
    check_splits(config)
    config.val_dataloader.dataset.ann_file = config.test_dataloader.dataset.ann_file
    with pytest.raises(ValueError, match='val_dataloader.dataset is that of test'):
        compare(configs=dict(a=config), grid=[f'{LR}=x2'])
    lines = (tiny.root / 'test.txt').read_text().splitlines() + (tiny.root / 'val.txt').read_text().splitlines()
    (tmp_path / 'mixed.txt').write_text('\n'.join(lines[-6:]))
    config.val_dataloader.dataset.ann_file = str(tmp_path / 'mixed.txt')
    with pytest.raises(ValueError, match='2 clips of validation are in test'):
        compare(configs=dict(a=config), grid=[f'{LR}=x2'])
    config.val_dataloader = config.val_cfg = config.val_evaluator = None
    with pytest.raises(ValueError, match='no val_dataloader'):
        compare(configs=dict(a=config), grid=[f'{LR}=x2'])
    assert trainings.runs == []
    assert compare(configs=dict(a=config)).sections[0].alone.val == [None, None]


def test_a_grid_is_for_tuning_or_for_all_seeds(trainings, compare):
    with pytest.raises(ValueError, match='--at-grid: got no --grid'):
        compare(at_grid=True)
    with pytest.raises(ValueError, match='--tuning-seeds: got none; expected some to choose by'):
        compare(grid=[f'{LR}=x2'], tuning_seeds=())


def test_unknown_metric_names_the_known(trainings, compare):
    with pytest.raises(ValueError, match="got 'f1'; the test measures acc/top1"):
        compare(metric='f1')
    assert protocol.pick_metric({'map': 0.5}, None) == 'map'
    with pytest.raises(ValueError, match='got None; the validation measures nothing'):
        protocol.pick_metric({}, None, 'val')
