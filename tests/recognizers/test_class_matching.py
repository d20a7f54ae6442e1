"""``classes`` of a teacher by name."""

import clips
import pytest
import tiny
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.recognizers import class_matching
from mmkd_video.recognizers.class_matching import match_classes, name_classes
from mmkd_video.teachers import FrozenTeacher
from mmkd_video.workflows.train.training import build_runner

KNOWN = ['apply eye makeup', 'archery', 'baby-crawling', 'Archery (indoor)', 'diving']


@pytest.fixture
def said(monkeypatch):
    found = []
    monkeypatch.setattr(class_matching, 'print_log', lambda text, logger: found.append(text))
    return found


def test_all_that_is_found_is_told_in_one_line(said):
    assert match_classes(['archery', 'ApplyEyeMakeup', 'Baby_Crawling'], KNOWN, 'teacher') == [1, 0, 2]
    assert said == [
        'teacher: found all 3 classes of the student by name; not letter by letter: '
        "'ApplyEyeMakeup' as 'apply eye makeup', 'Baby_Crawling' as 'baby-crawling'; "
        '2 of its outputs are no class of the student'
    ]


def test_equal_names_are_told_shortly(said):
    assert match_classes(KNOWN[::-1], KNOWN, 'i3d') == [4, 3, 2, 1, 0]
    assert said == ['i3d: found all 5 classes of the student by name']


@pytest.mark.parametrize(
    ('asked', 'known', 'told'),
    [
        (['archery', 'divingg'], KNOWN, r"got 1 of 2 classes by name; missing 'divingg' \(near: 'diving'\)"),
        (['zzz'], KNOWN, r"missing 'zzz'; expected"),
        (['a b'], ['ab', 'A-B'], r"missing 'a b' \(outputs 0 and 1 have this name\)"),
        (['Diving', 'diving'], KNOWN, "got the classes 'Diving', 'diving' for its one output 'diving'"),
        ([f'class number {i}' for i in range(9)], KNOWN, 'and 4 more'),
    ],
)
def test_what_is_missing_is_an_error_of_one_line(asked, known, told):
    with pytest.raises(WrongValueError, match=f'teacher.classes: got .*{told}|{told}') as error:
        match_classes(asked, known, 'teacher')
    assert '\n' not in str(error.value)


def test_the_exact_name_counts_where_several_are_alike():
    assert match_classes(['A-B'], ['ab', 'A-B'], 'teacher') == [1]


def teacher_config():
    model = tiny.recognizer()
    return dict(model=model, classes=['e', 'd', 'c', 'b', 'a'])


def teacher(**given):
    init_default_scope('mmaction')
    return FrozenTeacher(config=teacher_config(), checkpoint=None, **given)


def test_names_and_a_file_of_names_are_classes_of_any_teacher(tmp_path, said):
    (tmp_path / 'names.txt').write_text('a\n\nc\n')
    assert teacher(classes=['a', 'c']).classes == [4, 2]
    assert teacher(classes=str(tmp_path / 'names.txt')).classes == [4, 2]
    assert len(said) == 2


def test_a_wrong_file_of_names_is_told(tmp_path):
    (tmp_path / 'empty.txt').write_text('\n')
    (tmp_path / 'bytes.txt').write_bytes(b'\xff\xfe\x00')
    for name, told in (
        ('nowhere.txt', 'there is no such file'),
        ('empty.txt', 'is empty'),
        ('bytes.txt', 'is no text'),
    ):
        with pytest.raises((WrongValueError, MissingFileError), match=told):
            teacher(classes=str(tmp_path / name))


def test_a_teacher_without_names_is_told():
    init_default_scope('mmaction')
    with pytest.raises(WrongValueError, match='nothing tells those of its 5 outputs'):
        FrozenTeacher(config=tiny.recognizer(), checkpoint=None, classes=['a'])


def test_without_the_config_nobody_knows_the_students_names():
    with pytest.raises(WrongValueError, match="got 'by_name', and nothing here tells"):
        teacher(classes='by_name')


def config_of(videos, work_dir, **given):
    model = tiny.distiller()
    model['teacher'] = dict(config=teacher_config(), checkpoint=None, classes='by_name', **given)
    return Config(clips.runner_config(videos, work_dir, model, clips.pipeline(layout='NCTHW')))


@pytest.fixture
def videos(tmp_path):
    return clips.make_set(tmp_path / 'videos', count=2)


def test_a_training_finds_the_names_beside_the_list(videos, tmp_path):
    (videos / 'classes.txt').write_text('a\nb\nc\nd\ne\n')
    config = config_of(videos, tmp_path / 'work')
    config.test_dataloader, config.test_cfg = config.val_dataloader, dict(type='TestLoop')
    config.test_evaluator = config.val_evaluator
    runner = build_runner(config)
    assert runner.model.teachers['teacher'].classes == [4, 3, 2, 1, 0]


def test_members_of_an_ensemble_have_classes_by_name_too():
    config = Config(dict(model=tiny.distiller(), classes=['a', 'b', 'c', 'd', 'e']))
    members = dict(one=dict(config=teacher_config(), checkpoint=None, classes='by_name'))
    config.model.teacher = dict(type='TeacherEnsemble', members=members)
    name_classes(config)
    assert config.model.teacher.members.one.classes == ['a', 'b', 'c', 'd', 'e']


def test_names_that_nobody_tells_are_an_error(videos, tmp_path):
    with pytest.raises(WrongValueError, match="nothing tells the names of the student's 5 classes; expected"):
        name_classes(config_of(videos, tmp_path / 'work'))


@pytest.mark.parametrize('asked', [True, dict(), dict(classes='by_name', templates=['{}'])])
def test_names_of_the_student_are_the_classifier_of_a_zero_shot_teacher(asked):
    names = ['a', 'b', 'c', 'd', 'e']
    config = Config(dict(model=tiny.distiller(), classes=names))
    zero_shot = dict(config=dict(source='hf::folder', zero_shot=asked))
    given = dict(config=dict(source='hf::folder', zero_shot=dict(classes=['left'])))
    config.model.teacher = dict(one=zero_shot, two=dict(type='CachedTeacher', teacher=zero_shot), three=given)
    name_classes(config)
    for filled in (config.model.teacher.one, config.model.teacher.two.teacher):
        assert filled.config.zero_shot.classes == names and filled.config.source == 'hf::folder'
        assert ('templates' in filled.config.zero_shot) == (asked not in (True, {}))
    assert config.model.teacher.three.config.zero_shot.classes == ['left']


def test_a_zero_shot_teacher_without_names_is_an_error():
    config = Config(dict(model=tiny.distiller()))
    config.model.teacher = dict(config=dict(source='hf::folder', zero_shot=True))
    with pytest.raises(WrongValueError, match='teacher.config.zero_shot: got no classes, and nothing tells the names'):
        name_classes(config)
