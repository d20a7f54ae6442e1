"""The single teachers of a config: members stand in the place of their ensemble."""

from mmengine.config import Config

from mmkd_video.recognizers.plain_student import given_teachers, named_teachers, prepares_one_teacher
from mmkd_video.workflows.measure.pair import _without_checkpoints
from mmkd_video.workflows.train.prepare import merge_teacher_options, needed_parts

CONFIG = 'configs/ensemble/i3d_c3d_to_mobilenet.py'
ONE, TWO, THREE = (dict(config=f'{name}.py', checkpoint=f'{name}.pth') for name in 'abc')


def test_members_stand_in_the_place_of_their_ensemble():
    inner = dict(type='TeacherEnsemble', members=[ONE, TWO])
    teachers = dict(first=dict(type='TeacherEnsemble', members=dict(inner=inner, own=THREE)), last=ONE)
    assert list(given_teachers(teachers)) == ['first', 'last']
    assert named_teachers(teachers) == dict(member1=ONE, member2=TWO, own=THREE, last=ONE)
    assert named_teachers(ONE) == dict(teacher=ONE) and named_teachers(None) == {}


def test_what_an_ensemble_needs_is_prepared_by_the_names_of_its_members():
    config = Config.fromfile(CONFIG)
    assert not prepares_one_teacher(config)
    clips, first, second = needed_parts(config)
    assert [str(each.checkpoint) for each in (first, second)] == [
        'work_dirs/teachers/i3d_motion.pth',
        'work_dirs/teachers/c3d_motion.pth',
    ]
    config.prepare.teacher_options = dict(c3d=dict(train_cfg=dict(max_epochs=1)))
    merge_teacher_options(config)
    members = config.model.teacher.members
    assert members.c3d.config.train_cfg.max_epochs == 1 and isinstance(members.i3d.config, str)


def test_a_benchmark_leaves_out_the_checkpoints_of_members():
    teacher = dict(type='TeacherEnsemble', members=dict(a=ONE, b=TWO), weighting='best')
    found = _without_checkpoints(teacher)['teacher']
    assert [each['checkpoint'] for each in found['members'].values()] == [None, None]
    assert found['weighting'] == 'best' and ONE['checkpoint'] == 'a.pth'
