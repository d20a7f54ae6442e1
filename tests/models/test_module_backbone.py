"""``module::<module>:<function>``: any module of PyTorch is a recognizer, and a teacher."""

import sys

import clips
import own_modules
import pytest
import tiny
import torch
from mmengine.registry import init_default_scope

from mmkd_video.compat.safe_load import UnsafeCheckpointError
from mmkd_video.core.mistakes import WrongTypeError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.libraries import read_library_model
from mmkd_video.teachers import FrozenTeacher, Probe
from mmkd_video.views import DistillViews

SEEN = dict(frames=4, size=32, mean=[100.0] * 3, std=[50.0] * 3)


def teacher(name='Clips', **given):
    init_default_scope('mmaction')
    torch.manual_seed(0)
    source = dict(dict(source=f'module::own_modules:{name}', num_classes=5, **SEEN), **given)
    return FrozenTeacher(config=source)


def inputs():
    return torch.randn(2, 1, 3, 4, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ('arguments', 'given'),
    [
        ({}, {}),
        (dict(last=True), dict(layout='NTCHW')),
        (dict(kind='dict'), dict(output='logits')),
        (dict(kind='object'), dict(output='logits')),
        (dict(kind='tuple'), dict(output='1')),
    ],
)
def test_class_scores_are_the_modules(arguments, given):
    made = teacher(arguments=arguments, **given)
    made.bind(['logits', 'backbone.net.conv'], Probe(None, {}, None))
    torch.manual_seed(0)
    module = own_modules.Clips()
    found = made.features(inputs())
    torch.testing.assert_close(found['logits'], module(inputs()[:, 0]).detach())
    assert found['backbone.net.conv'].shape == (2, 4, 4, 32, 32)
    assert made.num_classes == 5 and not made.module.training


def test_scores_of_frames_are_averaged_over_a_clip():
    made = teacher('frames', layout='frames')
    found = made.bind(['logits', 'backbone.net.0'], Probe(None, {}, None))
    assert found['backbone.net.0'].shape == (1, 4, 4, 30, 30)
    torch.manual_seed(0)
    module = own_modules.frames()
    expected = torch.stack([module(clip.transpose(0, 1)).mean(dim=0) for clip in inputs()[:, 0]])
    torch.testing.assert_close(made.features(inputs())['logits'], expected.detach())


def test_a_vector_is_a_feature_where_there_are_no_classes():
    made = teacher(num_classes=None)
    found = made.bind(['logits', 'pooled'], Probe(None, {}, None))
    assert set(found) == {'pooled'} and found['pooled'].shape == (1, 5) and made.num_classes is None


def test_weights_are_read_without_running_anything(tmp_path):
    torch.manual_seed(7)
    kept = own_modules.Clips()
    torch.save(kept.state_dict(), tmp_path / 'own.pth')
    made = teacher(weights=str(tmp_path / 'own.pth'))
    torch.testing.assert_close(made.module.backbone.net.fc.weight, kept.fc.weight.detach())
    torch.save(kept, tmp_path / 'pickled.pth')
    with pytest.raises(UnsafeCheckpointError, match='pickled.pth: refused'):
        teacher(weights=str(tmp_path / 'pickled.pth'))
    with pytest.raises(WrongValueError, match='is not of this architecture'):
        teacher(weights=str(tmp_path / 'own.pth'), arguments=dict(width=6))


def test_names_of_its_classes_are_matched():
    assert teacher(classes=['a', 'b', 'c', 'd', 'e']).classes is None
    made = FrozenTeacher(
        config=dict(source='module::own_modules:Clips', num_classes=5, classes=['a', 'b', 'c', 'd', 'e'], **SEEN),
        classes=['e', 'a'],
    )
    assert made.classes == [4, 0]


def test_a_training_on_real_videos_learns_from_it(tmp_path):
    videos = clips.make_set(tmp_path / 'videos', count=4)
    source = dict(source='module::own_modules:Clips', num_classes=5, frame_interval=2, **SEEN)
    model = dict(tiny.distiller(terms=[tiny.KD]), teacher=dict(config=source), input_size=dict(student=tiny.SIZE))
    views = dict(type='DistillViews', student=clips.pipeline(layout='NCTHW'), teacher=source)
    runner, losses = tiny.train(
        videos, tmp_path / 'work', 'module', model,
        hooks=[dict(type='TeacherPredictionsHook')],
        **{'train_dataloader.dataset.pipeline': [views], 'train_cfg.max_epochs': 1},
    )  # fmt: skip
    assert len(losses) == 2 and all(step['loss_kd'] > 0 for step in losses)
    assert list((tmp_path / 'work').glob('teacher_predictions_*.npz'))


def test_reading_the_config_imports_nothing():
    source = dict(source='module::nowhere.at.all:build', **SEEN)
    config = read_library_model(source)
    assert config.model.backbone.module == 'nowhere.at.all:build' and 'nowhere' not in sys.modules
    DistillViews(student=clips.pipeline(), teacher=source)


@pytest.mark.parametrize(
    ('name', 'given', 'said'),
    [
        ('nowhere', {}, "module::own_modules:nowhere: own_modules has no function 'nowhere'"),
        ('Clips', dict(arguments=dict(depth=3)), 'its function does not take these arguments'),
        ('number', {}, 'got int; expected a torch.nn.Module'),
    ],
)
def test_a_wrong_function_is_told_in_one_line(name, given, said):
    with pytest.raises((WrongValueError, WrongTypeError), match=said) as error:
        teacher(name, **given)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('source', 'said'),
    [('module::nowhere.at.all:build', "importing 'nowhere.at.all' failed"), ('module::own_modules', 'got no function')],
)
def test_a_wrong_module_is_told_in_one_line(source, said):
    init_default_scope('mmaction')
    with pytest.raises(WrongValueError, match=said) as error:
        MODELS.build(read_library_model(dict(source=source, **SEEN)).model)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('name', 'given', 'said'),
    [
        ('maps', {}, r'got a tensor of shape \(1, 4, 2, 30, 30\) for 1 clips; expected \(1, K\)'),
        ('Clips', dict(num_classes=7), 'got scores of 5 classes; expected num_classes=7'),
        ('Clips', dict(arguments=dict(kind='dict')), 'its result is a dict of logits; expected a tensor'),
        ('Clips', dict(arguments=dict(kind='tuple'), output='9'), "one that output='9' names in it"),
    ],
)
def test_a_wrong_result_is_told_in_one_line(name, given, said):
    made = teacher(name, **given)
    with pytest.raises(ValueError, match=said) as error:
        made.bind(['logits'], Probe(None, {}, None))
    assert '\n' not in str(error.value)
