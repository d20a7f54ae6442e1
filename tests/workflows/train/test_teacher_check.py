"""A teacher that is not better than a simple reference is named before it teaches."""

import pytest
from mmengine.config import Config

from mmkd_video.workflows.train import prepare, teacher_check
from mmkd_video.workflows.train.teacher_check import reference_on_validation, verdict


def test_a_teacher_that_is_not_better_gets_a_remedy():
    assert verdict(0.8, 0.7, 25) == 'teacher: 80.0% of 25 validation clips, the simple reference 70.0%'
    assert 'nothing can be learnt' in verdict(0.7, 0.7, 25)
    assert 'budget.min_steps' in verdict(0.6, 0.7, 25)
    assert 'measures no acc/top1' in verdict(None, 0.7, 25)


def test_the_reference_is_measured_once_for_the_same_lists(tmp_path, monkeypatch):
    measured = []

    class Fake:
        def score(self, train, test, name):
            measured.append(len(train))
            return teacher_check_score(len(test))

    def teacher_check_score(clips):
        from mmkd_video.workflows.train.flow_baseline import Score

        return Score('val', clips // 2, clips)

    monkeypatch.setattr(teacher_check, 'FlowBaseline', Fake)
    (tmp_path / 'a.mp4').touch()
    for name in ('train', 'val'):
        (tmp_path / f'{name}.txt').write_text('a.mp4 0\n' * 4)
    loader = {
        f'{name}_dataloader': dict(dataset=dict(ann_file=str(tmp_path / f'{name}.txt'))) for name in ('train', 'val')
    }
    for each in loader.values():
        each['dataset']['data_prefix'] = dict(video=str(tmp_path))
    config = Config(dict(model=dict(type='Recognizer2D'), **loader))
    assert reference_on_validation(config, tmp_path / 'work') == (0.5, 4)
    assert reference_on_validation(config, tmp_path / 'work') == (0.5, 4)
    assert measured == [4]
    (tmp_path / 'train.txt').write_text('a.mp4 0\n' * 5)
    reference_on_validation(config, tmp_path / 'work')
    assert measured == [4, 5]


@pytest.mark.parametrize('found', ['fine', f'bad: {teacher_check.REMEDY}.'])
def test_a_bad_teacher_is_a_warning(tmp_path, monkeypatch, found):
    (tmp_path / 'config.py').write_text('model = dict(type="Recognizer2D")\n')
    said = []
    monkeypatch.setattr(teacher_check, 'check_teacher', lambda config, checkpoint, work_dir: found)
    monkeypatch.setattr(teacher_check, 'print_log', lambda line, logger, level: said.append((line, level)))
    part = prepare.TrainedTeacher(str(tmp_path / 'config.py'), tmp_path / 'teacher.pth')
    teacher_check.check_teachers([part])
    assert said == [(found, 30 if found.startswith('bad') else 20)]


@pytest.mark.parametrize('error', [ValueError('a.mp4: broken'), KeyError('val'), RuntimeError('the test failed')])
def test_a_teacher_that_cannot_be_compared_is_told_and_stops_nothing(tmp_path, monkeypatch, error):
    (tmp_path / 'config.py').write_text('model = dict(type="Recognizer2D")\n')
    said = []

    def fail(*arguments):
        raise error

    monkeypatch.setattr(teacher_check, 'check_teacher', fail)
    monkeypatch.setattr(teacher_check, 'print_log', lambda line, logger, level: said.append((line, level)))
    teacher_check.check_teachers([prepare.TrainedTeacher(str(tmp_path / 'config.py'), tmp_path / 'teacher.pth')])
    ((line, level),) = said
    assert line.startswith('teacher: not compared with a simple reference (') and level == 30
