"""Models of timm and torchvision teach, by their name and a local file."""

import sys

import clips
import pytest
import safetensors.torch
import torch
import zoo
from mmengine.config import Config
from mmengine.runner import Runner

from mmkd_video.core.registry import MODELS
from mmkd_video.teachers import FrozenTeacher

vision = pytest.mark.torchvision
IMAGES = dict(source='timm::mobilenetv4_conv_small', frames=4, num_classes=5)
VIDEOS = dict(source='torchvision::r3d_18', frames=4, num_classes=5)


def weights_of(config):
    torch.manual_seed(3)
    return FrozenTeacher(config=config, checkpoint=None).module.backbone.net.state_dict()


@vision
@pytest.mark.parametrize('config', [IMAGES, VIDEOS], ids=['timm', 'torchvision'])
@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_a_checkpoint_is_a_file_of_the_library(config, suffix, tmp_path):
    weights, path = weights_of(config), tmp_path / f'weights{suffix}'
    (torch.save if suffix == '.pth' else safetensors.torch.save_file)(weights, path)
    torch.manual_seed(4)
    teacher = FrozenTeacher(config=config, checkpoint=str(path))
    found = teacher.module.backbone.net.state_dict()
    assert all(torch.equal(found[name], each) for name, each in weights.items())
    with pytest.raises(ValueError, match='is not of .*classifier|is not of .*shape'):
        FrozenTeacher(config=dict(config, num_classes=7), checkpoint=str(path))


@vision
def test_a_checkpoint_has_to_be_given():
    with pytest.raises(ValueError, match='teacher.checkpoint is missing'):
        FrozenTeacher(config='timm::mobilenetv4_conv_small')
    with pytest.raises(FileNotFoundError, match='teacher.checkpoint: .* nothing is downloaded'):
        FrozenTeacher(config='timm::mobilenetv4_conv_small', checkpoint='https://example.com/a.pth')


@vision
def test_a_checkpoint_that_asks_for_code_is_refused(tmp_path):
    torch.save(dict(state_dict=print), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='refused'):
        FrozenTeacher(config=VIDEOS, checkpoint=str(tmp_path / 'a.pth'))


@vision
@pytest.mark.slow
@pytest.mark.parametrize(
    ('teacher', 'tap'),
    [(IMAGES, 'backbone.intermediates[3]'), (dict(VIDEOS, frames=8), 'backbone.net.layer2')],
    ids=['timm', 'torchvision'],
)
def test_teaches_from_videos_by_a_view_of_its_own(teacher, tap, tmp_path):
    student, size = zoo.config_of('tsm_mobilenet')
    root = clips.make_set(tmp_path / 'clips', count=2)
    model = dict(
        type='Distiller',
        student=student,
        teacher=dict(config=teacher, checkpoint=None),
        input_size=dict(student=size),
        terms=[
            dict(type='KDLoss', at='logits', weight=0.5),
            dict(type='FitNetLoss', at=('backbone.layer4', tap)),
        ],
    )
    views = [dict(type='DistillViews', student=clips.pipeline(), teacher=teacher)]
    config = Config(clips.runner_config(root, tmp_path / 'out', model, views, epochs=1))
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.iter == 1
    saved = torch.load(tmp_path / 'out' / 'epoch_1.pth', weights_only=False)['state_dict']
    assert saved.keys() == MODELS.build(student).state_dict().keys(), 'nothing of the teacher is saved'


def test_without_the_library_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torchvision', None)
    monkeypatch.setitem(sys.modules, 'torchvision.models', None)
    with pytest.raises(ImportError, match=r"pip install 'torchvision==0\.\d+\.\*'"):
        FrozenTeacher(config='torchvision::r3d_18', checkpoint=None)
