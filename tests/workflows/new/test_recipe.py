import ast
import re
from pathlib import Path

import pytest

from mmkd_video.cli.new import main
from mmkd_video.core.registry import build_model
from mmkd_video.recognizers.config import read_config

ROOT = Path(__file__).resolve().parents[3]
STUDENT, TEACHER = 'configs/students/mobilenet_motion.py', 'configs/teachers/i3d_motion.py'
TSN = 'mmaction::recognition/tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e_kinetics400-rgb.py'


@pytest.fixture(autouse=True)
def _in_the_clone(monkeypatch):
    monkeypatch.chdir(ROOT)


def write(tmp_path, *more, student=STUDENT, teacher=TEACHER):
    out = tmp_path / 'new.py'
    main(['--student', student, '--teacher', teacher, '--out', str(out), *more])
    return out


def read(path):
    return read_config(str(path), {'model.teacher.checkpoint': None})


def names_of_terms(model):
    return [term.name for term in model.training_state.terms.values()]


def own_clips(folder, label=5):
    (folder / 'videos').mkdir(parents=True)
    for name in ('a', 'b'):
        (folder / 'videos' / f'{name}.mp4').touch()
    (folder / 'train.txt').write_text(f'a.mp4 0\nb.mp4 {label}\n')
    (folder / 'test.txt').write_text('b.mp4 1\n')
    return folder


def test_what_is_written_is_built_and_says_every_line(tmp_path, capsys):
    path = write(tmp_path, '--checkpoint', 'work_dirs/t.pth')
    config = read(path)
    assert names_of_terms(build_model(config.model)) == ['kd']
    assert config.train_dataloader.dataset.pipeline[0].type == 'DistillViews'
    assert config.train_dataloader.batch_size == 8, "the student's own"
    assert config.get('prepare') is None
    assert config.custom_hooks[0].type == 'DistillHook'
    text = path.read_text()
    assert "checkpoint='work_dirs/t.pth'" in text and max(map(len, text.splitlines())) <= 120
    said = capsys.readouterr().out
    assert "'backbone.conv2' (1280 x 8 x 3 x 3) with 'backbone.layer3' (64 x 15 x 3 x 3)" in said
    assert f'mmkd train {path}' in said and 'times a step of the student alone' in said


def test_every_feature_that_is_proposed_can_be_compared(tmp_path):
    text = write(tmp_path).read_text()
    path = tmp_path / 'all.py'
    path.write_text(text.replace("# dict(type='FitNetLoss'", "dict(type='FitNetLoss'"))
    features = [f'features_{number}' for number in range(1, 5)]
    assert names_of_terms(build_model(read(path).model)) == ['kd', *features]


def test_other_classes_compare_features(tmp_path, capsys):
    config = read(write(tmp_path, '--data-root', str(own_clips(tmp_path / 'own'))))
    model = build_model(config.model)
    assert names_of_terms(model) == ['features_1']
    assert model.student.cls_head.num_classes == 6
    assert 'student has 6 classes, the teacher 8' in capsys.readouterr().out
    for loader, name in (('train', 'train.txt'), ('val', 'test.txt'), ('test', 'test.txt')):
        dataset = config[f'{loader}_dataloader'].dataset
        assert dataset.ann_file == name and dataset.data_prefix == dict(video='videos')
        assert dataset.data_root == str(tmp_path / 'own')
    assert config.prepare == dict(teacher=TEACHER), 'no checkpoint was given'


def test_a_teacher_of_the_zoo_has_its_own_weights(tmp_path):
    text = write(tmp_path, student=TSN, teacher=TSN).read_text()
    found = next(line for line in text.splitlines() if 'checkpoint=' in line)
    assert ast.literal_eval(found.partition('=')[2].rstrip(',')).startswith('https://download.openmmlab.com/mmaction/')
    assert 'prepare' not in text


@pytest.mark.parametrize(
    ('sides', 'words'),
    [
        (dict(student='configs/distill/i3d_to_mobilenet.py'), '--student: .* distils already; expected the plain'),
        (dict(student='missing.py'), "--student: got 'missing.py'"),
        (dict(teacher='configs/_base_/runtime.py'), '--teacher: .* holds no recognizer; expected the plain config'),
    ],
)
def test_mistakes_name_the_option(tmp_path, capsys, sides, words):
    with pytest.raises(SystemExit) as ended:
        write(tmp_path, **sides)
    assert ended.value.code == 1 and not (tmp_path / 'new.py').exists()
    assert re.search(words, capsys.readouterr().err)


def test_several_data_sets_are_left_to_the_user(tmp_path, capsys):
    student = tmp_path / 'student.py'
    student.write_text(
        f"_base_ = '{ROOT / STUDENT}'\n"
        'train_dataloader = dict(dataset=dict(_delete_=True, type="RepeatDataset", times=2, dataset=dict('
        'type="ConcatDataset", datasets=[_base_.train_dataloader.dataset])))\n'
    )
    with pytest.raises(SystemExit):
        write(tmp_path, student=str(student))
    assert "--student: its train_dataloader reads a 'RepeatDataset' of several data sets" in capsys.readouterr().err


def test_nothing_is_overwritten(tmp_path, capsys):
    (tmp_path / 'new.py').write_text('mine')
    with pytest.raises(SystemExit):
        write(tmp_path)
    assert (tmp_path / 'new.py').read_text() == 'mine'
    assert 'exists; give another name' in capsys.readouterr().err


def test_clips_that_are_nowhere_are_told(tmp_path, capsys):
    folder = own_clips(tmp_path / 'own')
    (folder / 'videos' / 'a.mp4').unlink()
    with pytest.raises(SystemExit):
        write(tmp_path, '--data-root', str(folder))
    assert "the first clip, 'a.mp4', lies neither in" in capsys.readouterr().err
    (folder / 'train.txt').unlink()
    with pytest.raises(SystemExit):
        write(tmp_path, '--data-root', str(folder))
    assert 'which holds none of' in capsys.readouterr().err
