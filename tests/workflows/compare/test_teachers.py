from mmengine.config import Config

from mmkd_video.recognizers.config import resolve_config
from mmkd_video.workflows.compare.teachers import tested_teachers as find_teachers


def distilled(tiny, *parts):
    config = Config.fromfile(tiny.distill)
    config.model.teacher.checkpoint = str(tiny.folder.joinpath(*parts))
    return config


def test_teachers_whose_files_have_one_name_are_two(tiny, tmp_path):
    names = [('big', 'best.pth'), ('small', 'best.pth'), ('big', 'best.pth')]
    configs = {name: distilled(tiny, *parts) for name, parts in zip('abc', names, strict=True)}
    teachers, owned = find_teachers(configs, tmp_path)
    assert owned == {'a': ['teacher best'], 'b': ['teacher best-2'], 'c': ['teacher best']}
    assert [str(each.run.folder._checkpoint) for each in teachers.values()] == [
        str(tiny.folder / 'big' / 'best.pth'),
        str(tiny.folder / 'small' / 'best.pth'),
    ]
    assert len({each.run.folder.path for each in teachers.values()}) == 2


def test_one_checkpoint_with_other_classes_is_another_teacher(tiny, tmp_path):
    configs = {name: distilled(tiny, 'best.pth') for name in 'ab'}
    configs['b'].model.teacher.classes = [0, 1]
    teachers, owned = find_teachers(configs, tmp_path)
    assert len(teachers) == 2 and owned['a'] != owned['b']


def test_classes_by_name_are_those_of_their_indices(tiny, tmp_path):
    configs = {name: distilled(tiny, 'best.pth') for name in 'ab'}
    whole = resolve_config(configs['a'].model.teacher.config)[1].to_dict()
    whole['classes'] = [f'class {index}' for index in range(whole['model']['cls_head']['num_classes'])]
    for config, classes in zip(configs.values(), (['Class_1', 'class 0'], [1, 0]), strict=True):
        config.model.teacher.update(config=whole, classes=classes)
    teachers, _ = find_teachers(configs, tmp_path)
    assert [each.classes for each in teachers.values()] == [[1, 0]]


def test_members_of_an_ensemble_are_tested_alone_unless_they_know_a_part_of_the_classes(tiny, tmp_path, capsys):
    config = distilled(tiny, 'first.pth')
    whole = dict(config.model.teacher)
    part = dict(whole, checkpoint=str(tiny.folder / 'second.pth'), classes=[0], covers=[0])
    config.model.teacher = dict(type='TeacherEnsemble', members=dict(whole=whole, part=part))
    teachers, owned = find_teachers(dict(a=config), tmp_path)
    assert list(teachers) == ['teacher'] and owned == {'a': ['teacher']}
    assert 'a: teacher part: not tested, it covers a part of the classes' in capsys.readouterr().out
