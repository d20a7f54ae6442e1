"""Files of work dirs, whole, half written, damaged and hostile."""

import json
import math
import os

import numpy as np
import pytest
from made_up_runs import CONFIG, deployments, made_up_comparison, trial, with_line

from mmkd_video.workflows.compare.runs import EVALUATION, LEDGER
from mmkd_video.workflows.report.answers import expected_error, read_scores, reliability
from mmkd_video.workflows.report.config_literals import read_literals
from mmkd_video.workflows.report.folder import read_folders
from mmkd_video.workflows.report.history import History, mean_curve, read_history
from mmkd_video.workflows.report.moving_clip import moving_clip
from mmkd_video.workflows.report.report import write_report
from mmkd_video.workflows.report.saved_results import read_comparison, read_deployments
from mmkd_video.workflows.report.task_factor import task_factor


@pytest.fixture
def work(tmp_path):
    return made_up_comparison(tmp_path)


@pytest.fixture
def run(work):
    return work / 'student_distilled_c' / 'seed0'


def log_of(run, start, steps, **values):
    folder = run / start / 'vis_data'
    folder.mkdir(parents=True)
    lines = [dict(values, iter=step, step=step, loss=float(step)) for step in steps]
    (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))


def test_half_a_line_is_skipped_and_told(run):
    before = read_history(run)
    with_line(run, '{"loss": 1.0, "step": 50, "it')
    after = read_history(run)
    assert after.train == before.train and after.val == before.val
    (problem,) = after.problems
    assert problem.endswith('1 lines are no scalars and left out')


@pytest.mark.parametrize('value', ['NaN', 'Infinity', '"text"', '[1]', '1' + '0' * 400, 'true'])
def test_what_is_no_number_is_a_gap(run, value):
    with_line(run, f'{{"loss_kd": {value}, "iter": 50, "step": 50}}')
    found = read_history(run)
    assert not math.isfinite(found.train['loss_kd'][50]) and found.train['loss_kd'][40] > 0
    assert not found.problems
    write_report([run.parents[1]], out=run.parents[2] / 'page.html', num_clips=0)


@pytest.mark.parametrize('step', ['-1', '1.5', '"7"', '1' + '0' * 30, 'null'])
def test_a_step_that_is_none_is_left_out(run, step):
    before = read_history(run).train
    with_line(run, f'{{"loss_kd": 1.0, "iter": 1, "step": {step}}}')
    assert read_history(run).train == before


@pytest.mark.parametrize('absolute', [False, True])
def test_a_trial_of_another_folder_is_not_opened(tmp_path, absolute):
    work, other = made_up_comparison(tmp_path / 'own'), made_up_comparison(tmp_path / 'other')
    elsewhere = other / 'student_alone' / 'seed0'
    assert elsewhere.is_dir()
    run = str(elsewhere) if absolute else os.path.relpath(elsewhere, work)
    (found,) = read_folders([work])
    with open(work / LEDGER, 'a') as file:
        file.write(json.dumps(trial('alone', 9, run, EVALUATION)) + '\n')
    (after,) = read_folders([work])
    assert [each.path for each in after.runs] == [each.path for each in found.runs]
    assert any('1 lines are no trials of this folder' in problem for problem in after.problems)


def test_a_start_replaces_what_came_after_its_first_step(tmp_path):
    log_of(tmp_path, '20260101_000000', (1, 2, 3, 4, 5), epoch=1)
    log_of(tmp_path, '20260102_000000', (4,), epoch=1)
    assert sorted(read_history(tmp_path).train['loss']) == [1, 2, 3, 4]


def test_the_mean_is_over_the_steps_that_all_have():
    assert mean_curve([{1: 1.0, 2: 2.0}, {1: 3.0}]) == {1: 2.0}
    assert mean_curve([]) == {}


def test_the_loss_without_its_weight():
    history = History(train={'loss_cls': {1: 0.5}, 'loss_kd': {1: 9.0}, 'kd_raw': {1: 1.0}}, task_factor=0.5)
    assert history.terms == ['kd'] and history.plain_task_loss() == {1: 1.0}
    assert History(train={'loss': {1: 3.0}}).plain_task_loss() == {1: 3.0}


@pytest.mark.parametrize(
    ('model', 'factor'),
    [
        (dict(type='Recognizer2D'), 1.0),
        (dict(type='Distiller', terms=[dict(type='KDLoss')]), 0.5),
        (dict(type='Distiller', terms=[dict(type='A'), dict(type='B')]), 0.5),
        (dict(type='Distiller', task_weight=0.1, terms=[dict(weight=0.9)]), 0.1),
        (dict(type='Distiller', terms=[dict(weight=dict(type='Balanced', share=0.2))]), 0.8),
        (dict(type='Distiller', terms=[dict(weight=dict(type='Linear', begin=0))]), 1.0),
        (dict(type='Distiller', terms=[dict(end=3)]), None),
        (dict(type='Distiller', task_weight=dict(type='Linear'), terms=[dict(weight=1)]), None),
        (dict(type='Distiller', task_weight=0, terms=[dict(type='KDLoss')]), None),
        (dict(type='Distiller', terms=7), None),
        (7, None),
    ],
)
def test_the_weight_of_the_own_losses(model, factor):
    assert task_factor(dict(model=model)) == (factor if factor is None else pytest.approx(factor))


def test_a_config_is_read_and_not_executed(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(f'{CONFIG}import os\nbad = os.system("touch {tmp_path}/ran")\nlast = dict(a=[1, (2,)], **bad)\n')
    found = read_literals(path)
    assert found['model']['terms'][0]['temperature'] == 4.0 and found['last'] == dict(a=[1, [2]])
    assert 'bad' not in found and not (tmp_path / 'ran').exists()


def test_a_config_of_any_length_is_not_read(tmp_path):
    (tmp_path / 'config.py').write_text('#' * (1 << 20) + '\nx = 1')
    with pytest.raises(ValueError, match='longer than 1048576 characters'):
        read_literals(tmp_path / 'config.py')


@pytest.mark.parametrize(
    'text', ['model = (', 'x = ' + '(' * 5000, 'x = ' + '-' * 100_000 + '1', '\0', 'x' * (2 << 20)]
)
def test_a_damaged_config_leaves_numbers_for_names(work, tmp_path, text):
    for run in work.glob('student_*/seed*'):
        (run / 'config.py').write_text(text)
    target, (part,) = write_report([work], out=tmp_path / 'page.html', data_root=tmp_path, num_clips=0)
    assert 'class 2' in target.read_text() and 'no names of the 3 classes' in part.problems[0]


@pytest.mark.parametrize(
    ('key', 'value', 'told'),
    [
        ('format', 1, 'got format 1, expected 2'),
        ('sections', [], 'sections: got list, expected a list of 1'),
        ('seeds', ['<b>'], "seeds[0]: got '<b>', expected a whole number"),
        ('metric', 7, 'metric: got 7, expected text'),
        ('chance', math.nan, 'chance: got nan'),
        ('extra', 1, "unknown key 'extra'"),
        ('seeds', [0, 1, 2], 'got 2 scores, expected one for each of 3 seeds'),
    ],
)
def test_a_damaged_comparison_is_told_in_one_line_and_the_rest_is_there(work, tmp_path, key, value, told):
    path = work / 'compare.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    target, (part,) = write_report([work], out=tmp_path / 'page.html', data_root=tmp_path, num_clips=0)
    (problem,) = part.problems
    assert str(path) in problem and told in problem and '\n' not in problem
    assert 'Training' in target.read_text() and '<h3>Outcome' not in target.read_text()


@pytest.mark.parametrize('change', [dict(kind='<b>'), dict(scores=[0.5]), dict(pairs=[0.1]), dict(arm=['x'])])
def test_a_damaged_row_is_told(work, change):
    path = work / 'compare.json'
    saved = json.loads(path.read_text())
    saved['sections'][0]['rows'][0]['pairs'] = [0.1, 0.2] if 'pairs' in change else None
    saved['sections'][0]['rows'][1] |= change
    path.write_text(json.dumps(saved))
    with pytest.raises(ValueError, match='compare.json: |rows'):
        read_comparison(path)


@pytest.mark.parametrize('content', [b'', b'{', b'[]', b'\xff\xfe', b'[' * 100_000, b'null', b'{"format": 2}'])
@pytest.mark.parametrize('name', ['compare.json', 'deploy.json', 'trials.jsonl'])
def test_whatever_a_file_holds_there_is_a_page_or_one_line(work, tmp_path, name, content):
    (work / name).write_bytes(content)
    target, (part,) = write_report([work], out=tmp_path / 'page.html', data_root=tmp_path, num_clips=0)
    assert all('\n' not in problem for problem in part.problems)
    assert part.problems or (name, content) == ('trials.jsonl', b'')
    assert target.is_file()


def test_a_benchmark_of_another_kind_is_no_latency(work):
    path = work / 'deploy.json'
    path.write_text(json.dumps(dict(benchmark='step', rows=[])))
    assert read_deployments(path) is None
    path.write_text(json.dumps(deployments() | dict(deployments=[dict(model='m')])))
    with pytest.raises(ValueError, match=r"deploy.json.deployments\[0\]: the key 'runtime' is missing"):
        read_deployments(path)


@pytest.mark.parametrize(
    'arrays',
    [
        dict(probabilities=np.full((2, 3), np.nan, np.float32)),
        dict(probabilities=np.ones((2, 3, 1), np.float32)),
        dict(probabilities=np.ones((2, 3), complex)),
        dict(labels=np.array([0, 3])),
        dict(labels=np.array([-1, -1])),
        dict(labels=np.array([0.0, 1.0])),
        dict(names=np.array(['a'])),
        dict(names=np.array([b'a', b'b'])),
    ],
)
def test_damaged_scores_are_told(work, tmp_path, arrays):
    good = dict(probabilities=np.ones((2, 3), np.float32), labels=np.array([0, 1]), names=np.array(['a', 'b']))
    path = work / 'student_alone' / 'seed0' / 'test_scores.npz'
    np.savez(path, **good)
    assert len(read_scores(path)[0]) == 2
    np.savez(path, **(good | arrays))
    _, (part,) = write_report([work], out=tmp_path / 'page.html', data_root=tmp_path, num_clips=0)
    assert any(problem.startswith(f'{path}: ') for problem in part.problems)


def test_scores_of_other_clips_are_left_out(work, tmp_path):
    path = work / 'student_alone' / 'seed1' / 'test_scores.npz'
    np.savez(path, probabilities=np.ones((1, 3), np.float32), labels=np.array([0]), names=np.array(['other']))
    target, (part,) = write_report([work], out=tmp_path / 'page.html', data_root=tmp_path, num_clips=0)
    assert f'{path}: of other clips or classes than the runs before it; left out' in part.problems
    assert 'mean over 1 seed;' in target.read_text()


def test_trials_of_other_settings_and_failed_runs_are_told(work):
    lines = [json.loads(line) for line in (work / 'trials.jsonl').read_text().splitlines()]
    lines[1] |= dict(failed=True)
    lines[2] |= dict(settings={'lr': 1})
    lines.append(dict(lines[3], run='nowhere'))
    (work / 'trials.jsonl').write_text('\n'.join(map(json.dumps, lines)))
    (found,) = read_folders([work])
    assert len(found.runs) == 2
    told = ' '.join(found.problems)
    assert 'this run failed' in told and '1 trials of other settings' in told and 'no longer there' in told


def test_of_folds_the_first_is_drawn(work, tmp_path):
    fold = work / 'fold0'
    fold.mkdir()
    for name in ('trials.jsonl', 'teacher', 'student_alone', 'student_distilled_c'):
        (work / name).rename(fold / name)
    (found,) = read_folders([work])
    assert len(found.runs) == 4 and found.comparison and found.teacher == fold / 'teacher' / 'i3d'
    assert found.problems == [f'{work}: 1 folds; curves and clips are those of fold0']


def test_reliability_in_closed_form():
    confidence, correct = np.array([0.95, 0.95, 0.55, 0.5]), np.array([True, False, True, True])
    counts, mean, accuracy = reliability(confidence, correct, 10)
    assert counts.tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 0, 2]
    assert accuracy[[4, 5, 9]].tolist() == [1.0, 1.0, 0.5] and math.isnan(mean[0])
    assert expected_error(confidence, correct, 10) == pytest.approx((2 * 0.45 + 0.45 + 0.5) / 4)


def test_only_files_are_opened_as_videos(tmp_path, monkeypatch):
    monkeypatch.setattr('cv2.VideoCapture', lambda path: pytest.fail(path))
    assert moving_clip(tmp_path) is None
    assert moving_clip(tmp_path / 'http://example.org/a.mp4') is None


def test_a_clip_that_is_none_has_no_picture(tmp_path):
    (tmp_path / 'a.mp4').write_bytes(b'no video')
    assert moving_clip(tmp_path / 'a.mp4') is None
