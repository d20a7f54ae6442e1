import json
import os
import subprocess
import sys
from pathlib import Path

import clips
import pytest
import similarity_run
import tiny
import torch
from mmengine.dataset import pseudo_collate
from similarity_run import TEACHER_PIPELINE, build

from mmkd_video.evaluation import MinibatchCKA, centred_gram
from mmkd_video.evaluation.teacher_predictions import with_pipeline
from mmkd_video.hooks import FeatureSimilarityHook
from mmkd_video.hooks import feature_similarity_hook as module
from mmkd_video.recognizers.plain_student import plain_student
from mmkd_video.taps import FeatureReader

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=9)


def the_hook(runner):
    return next(each for each in runner.hooks if isinstance(each, FeatureSimilarityHook))


def test_a_student_that_is_its_teacher_is_alike_everywhere_and_another_is_not(videos, tmp_path):
    student = tiny.recognizer()
    teacher = dict(config=dict(model=tiny.recognizer(), val_pipeline=TEACHER_PIPELINE), checkpoint=None)
    taps = ['pooled', 'backbone.layer1', dict(student='backbone.conv1', teacher='backbone.layer1')]
    runner = build(videos, tmp_path, taps, student, teacher)
    runner.model.teachers['teacher'].module.load_state_dict(runner.model.student.state_dict())
    found = runner.val()
    assert [found[f'cka/{tap}'] for tap in ('pooled', 'backbone.layer1')] == pytest.approx([1, 1], abs=1e-5)
    assert found['cka/backbone.conv1-backbone.layer1'] < 0.999
    torch.nn.init.normal_(runner.model.student.backbone.conv1.conv.weight)
    assert runner.val_loop.run()['cka/pooled'] < 0.999
    assert 'acc/top1' in found


def test_numbers_are_those_of_both_models_on_their_own_views_of_the_same_clips(videos, tmp_path):
    runner = build(videos, tmp_path, [('backbone.layer2', 'backbone.layer1')])
    drawn = torch.randperm(9, generator=torch.Generator().manual_seed(0)).tolist()
    found = runner.val()['cka/backbone.layer2-backbone.layer1']
    dataset = runner.val_dataloader.dataset
    twin = with_pipeline(dataset, TEACHER_PIPELINE)
    ours = FeatureReader(runner.model.student, ['backbone.layer2'], 'student')
    theirs = FeatureReader(runner.model.teachers['teacher'].module, ['backbone.layer1'], 'teacher')
    expected = MinibatchCKA(1)
    for batch in (drawn[:4], drawn[4:8]):  # the ninth alone is no batch
        sides = (ours, dataset), (theirs, twin)
        rows = [next(iter(each.read(pseudo_collate([data[i] for i in batch])).values())) for each, data in sides]
        expected.add(0, *map(centred_gram, rows))
    assert found == pytest.approx(expected.values()[0], rel=1e-5) and -0.5 < found < 1


def test_a_teacher_that_stands_still_runs_once_and_one_that_moves_every_time(videos, tmp_path):
    runner = build(videos, tmp_path, ['pooled'])
    hook, seen = the_hook(runner), []
    runner.call_hook('before_run')
    read = hook._compared.reader.read
    hook._compared.reader.read = lambda data: seen.append(len(data['inputs'])) or read(data)
    runner.val_loop.run(), runner.val_loop.run()
    assert seen == [4, 4]
    hook._compared.part.learns = True
    hook._compared.grams.clear()
    runner.val_loop.run(), runner.val_loop.run()
    assert seen == [4, 4] * 3


def test_a_moving_average_sees_what_the_student_sees(videos, tmp_path):
    runner = build(videos, tmp_path, ['pooled'], teacher=dict(type='EMATeacher'))
    runner.model.teachers['teacher'].state.begin_as(runner.model.student)
    assert runner.val()['cka/pooled'] == pytest.approx(1, abs=1e-5)


def test_a_test_of_the_distillation_reports_too_and_the_plain_student_leaves_the_hook_out(videos, tmp_path):
    config = clips.runner_config(videos, tmp_path, {})
    test = dict(test_dataloader=config['val_dataloader'], test_evaluator=dict(type='AccMetric'), test_cfg={})
    runner = build(videos, tmp_path, ['pooled'], **test)
    assert -1 < runner.test()['cka/pooled'] < 1
    assert all(hook.type != 'FeatureSimilarityHook' for hook in plain_student(runner.cfg).custom_hooks)


def test_one_of_several_teachers_is_named(videos, tmp_path):
    own = dict(config=dict(model=tiny.recognizer(), val_pipeline=TEACHER_PIPELINE), checkpoint=None)
    model = dict(type='TeacherEnsemble', members=dict(a=own, b=dict(own)))
    found = build(videos, tmp_path, ['pooled'], teacher=model, settings=dict(teacher='b')).val()
    assert 'cka/b/pooled' in found
    with pytest.raises(KeyError, match='FeatureSimilarityHook.teacher: got None; expected one of a, b'):
        build(videos, tmp_path, ['pooled'], teacher=model).val()


def test_a_first_reading_is_not_what_a_later_layer_wrote_over_it(videos, tmp_path):
    runner = build(videos, tmp_path, ['pooled'])
    data = pseudo_collate([runner.val_dataloader.dataset[0]])
    reader = FeatureReader(runner.model.student, ['backbone.conv1.bn'], 'student')  # a ReLU in place follows
    first = reader.read(data)['backbone.conv1.bn']
    assert (first < 0).any() and torch.equal(first, reader.read(data)['backbone.conv1.bn'])


def test_validation_changes_neither_statistics_nor_random_state(videos, tmp_path):
    runner = build(videos, tmp_path, ['pooled'])
    before = {key: value.clone() for key, value in runner.model.state_dict().items()}
    state = torch.get_rng_state()
    the_hook(runner).before_run(runner)
    the_hook(runner).after_val_epoch(runner, {})
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, before[key]) for key, value in runner.model.state_dict().items())


@pytest.mark.parametrize(
    ('teacher', 'error', 'message'),
    [
        (dict(config=tiny.recognizer(), checkpoint=None), ValueError, 'teacher has no val pipeline .*give it a whole'),
        (dict(type='PeerTeacher', config=tiny.recognizer()), ValueError, 'PeerTeacher, whose features cannot be read'),
    ],
)
def test_a_teacher_that_cannot_be_read_is_told(videos, tmp_path, teacher, error, message):
    with pytest.raises(error, match=message):
        build(videos, tmp_path, ['pooled'], teacher=teacher).val()


def test_mistakes_are_named(videos, tmp_path):
    with pytest.raises(ValueError, match=r"taps: got \['pooled', 3\]; expected a list such as"):
        FeatureSimilarityHook(taps=['pooled', 3])
    with pytest.raises(ValueError, match='batch_size: got 3; expected a whole number of at least 4'):
        FeatureSimilarityHook(taps=['pooled'], batch_size=3)
    with pytest.raises(KeyError, match="student tap 'backbone.layr2' names no module"):
        build(videos, tmp_path, ['backbone.layr2']).val()
    few = clips.make_set(tmp_path / 'few', count=3)
    with pytest.raises(ValueError, match='got a data set of 3 samples; expected at least 4'):
        build(few, tmp_path, ['pooled']).val()


def test_ranks_share_the_batches(monkeypatch):
    hook = FeatureSimilarityHook(taps=['pooled'], batch_size=4, clips=14)
    alone = hook._batches(100)
    assert [len(batch) for batch in alone] == [4, 4, 4] and len({*sum(alone, [])}) == 12
    shares = []
    for rank in (0, 1):
        monkeypatch.setattr(module, 'get_dist_info', lambda rank=rank: (rank, 2))
        shares.append(hook._batches(100))
    assert shares == [alone[::2], alone[1::2]]


@pytest.mark.slow
def test_two_ranks_report_what_one_process_does(videos, tmp_path):
    taps = ['pooled', ('backbone.layer2', 'backbone.layer1')]
    alone = similarity_run.build(videos, tmp_path / 'one', taps).val()
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2', '--master_port=0', '--standalone']
    environment = dict(os.environ, PYTHONPATH=f'{TESTS}{os.pathsep}{TESTS.parent}', OMP_NUM_THREADS='1')
    command += [str(TESTS / 'similarity_run.py'), str(videos), str(tmp_path / 'two'), str(tmp_path / 'report.json')]
    done = subprocess.run(command, cwd=TESTS.parent, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / 'report.json').read_text())
    keys = ['cka/pooled', 'cka/backbone.layer2-backbone.layer1']
    assert [found[key] for key in keys] == pytest.approx([alone[key] for key in keys], rel=1e-4)
