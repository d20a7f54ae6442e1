"""Students that stream, trained on real clips by the tools: distilled, resumed, in two processes."""

import re

import pytest
import torch

from mmkd_video.compat import safe_load

STUDENTS = {
    'tsm': """dict(
    type='Recognizer2D',
    backbone=dict(type='OnlineMobileNetV2TSM', widen_factor=0.25, pretrained=None, pretrained2d=False, num_segments=4,
                  difference_gain=2.0),
    cls_head=dict(type='OnlineTSMHead', num_classes=8, in_channels=1280, num_segments=4, average_clips='prob'),
    data_preprocessor=dict(type='ActionDataPreprocessor', mean=[120.0] * 3, std=[58.0] * 3, format_shape='NCHW'),
)
""",
    'movinet': """dict(
    type='Recognizer3D',
    backbone=dict(type='MoViNet', widen_factor=0.25),
    cls_head=dict(type='MoViNetHead', num_classes=8, in_channels=120, hidden_channels=32, average_clips='prob'),
    data_preprocessor=dict(type='ActionDataPreprocessor', mean=[120.0] * 3, std=[58.0] * 3, format_shape='NCTHW'),
)
""",
}


def prepared(tiny, name):
    """Put the student into the experiment, and begin with an untrained teacher."""
    text = tiny.student.read_text()
    head, _, _ = text.partition('\nmodel = dict(')
    if name == 'movinet':
        head = head.replace('clip_len=1, frame_interval=1, num_clips=4', 'clip_len=4, frame_interval=2, num_clips=1')
        head = head.replace("'NCHW'", "'NCTHW'")
    tiny.student.write_text(f'{head}\nmodel = {STUDENTS[name]}')
    tiny.distill.write_text(tiny.distill.read_text().replace(f'checkpoint={str(tiny.checkpoint)!r}', 'checkpoint=None'))
    return tiny


def weights(tiny, folder, epoch=2):
    return safe_load.load(tiny.folder / folder / f'epoch_{epoch}.pth')['state_dict']


@pytest.mark.slow
@pytest.mark.parametrize('name', STUDENTS)
def test_resumed_it_is_what_it_would_have_been(tiny, name):
    prepared(tiny, name)
    tiny.run('train.py', 'distill.py', '--work-dir', 'whole')
    tiny.run('train.py', 'distill.py', '--work-dir', 'parts', '--cfg-options', 'train_cfg.max_epochs=1')
    said = tiny.run('train.py', 'distill.py', '--work-dir', 'parts', '--resume').stdout
    assert re.search('resumed epoch|Load checkpoint', said)
    whole, parts = weights(tiny, 'whole'), weights(tiny, 'parts')
    assert whole.keys() == parts.keys() and not any('memory' in key or 'past' in key for key in whole)
    assert all(torch.equal(whole[key], parts[key]) for key in whole)


@pytest.mark.slow
@pytest.mark.parametrize('name', STUDENTS)
def test_two_processes_and_half_precision(tiny, name):
    prepared(tiny, name)
    gloo = ['--cfg-options', 'env_cfg.dist_cfg.backend=gloo']
    tiny.run('dist_train.sh', 'distill.py', 2, '--work-dir', 'two', '--amp', *gloo)
    assert all(value.isfinite().all() for value in weights(tiny, 'two').values())
