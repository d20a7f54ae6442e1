"""A whole experiment on a few rendered clips: configs of a teacher, a distillation and the plain student."""

import os
import random
import subprocess
import sys
from pathlib import Path

from mmkd_video.datasets import render_motion_clips

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / 'tools'
NUM_CLIPS = {'train': 8, 'val': 4, 'test': 16}

_SCHEDULE = """
default_scope = 'mmaction'
log_level = 'INFO'
default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=1),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', interval=1),
    sampler_seed=dict(type='DistSamplerSeedHook'),
)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2, val_interval=2)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
val_evaluator = dict(type='AccMetric')
test_evaluator = dict(type='AccMetric')
"""

_DATA = """
def _pipeline(test_mode):
    return [
        dict(type='DecordInit'),
        {sampler},
        dict(type='DecordDecode'),
        dict(type='Resize', scale=(32, 32), keep_ratio=False),
        dict(type='FormatShape', input_format={layout!r}),
        dict(type='PackActionInputs'),
    ]
train_pipeline = _pipeline(False)
def _loader(split, pipeline, shuffle):
    return dict(
        batch_size=4,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=shuffle),
        dataset=dict(
            type='VideoDataset',
            ann_file=f'{root}/{{split}}.txt',
            data_prefix=dict(video={root!r}),
            pipeline=pipeline,
            test_mode=split != 'train',
        ),
    )
train_dataloader = _loader('train', train_pipeline, True)
val_dataloader = _loader('val', _pipeline(True), False)
test_dataloader = _loader('test', _pipeline(True), False)
del _pipeline, _loader
"""

_TEACHER = """
model = dict(
    type='Recognizer3D',
    backbone=dict(type='ResNet3d', depth=18, pretrained=None, pretrained2d=False, base_channels=4,
                  conv1_kernel=(3, 5, 5)),
    cls_head=dict(type='I3DHead', num_classes=8, in_channels=32, spatial_type='avg', average_clips='prob'),
    data_preprocessor=dict(type='ActionDataPreprocessor', mean=[114.0] * 3, std=[57.0] * 3, format_shape='NCTHW'),
)
"""

_STUDENT = """
model = dict(
    type='Recognizer2D',
    backbone=dict(type='ResNet', depth=18, pretrained=None, num_stages=1, strides=(1,), dilations=(1,),
                  out_indices=(0,), norm_eval=False),
    cls_head=dict(type='TSNHead', num_classes=8, in_channels=64, average_clips='prob'),
    data_preprocessor=dict(type='ActionDataPreprocessor', mean=[120.0] * 3, std=[58.0] * 3, format_shape='NCHW'),
)
"""

_DISTILL = """
_base_ = ['student.py', {mmkd!r}]
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config={teacher!r}, checkpoint={checkpoint!r}),
    terms=[dict(type='KDLoss', at='logits', temperature=4.0, weight=0.9)],
)
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher={teacher!r})]))
prepare = dict(data={root!r}, teacher={teacher!r}, teacher_options=dict(train_cfg=dict(max_epochs=1)))
"""


class TinyExperiment:
    """Configs in a folder, on clips in another.

    Args:
        folder: For the configs.
        root: Of the clips, rendered by ``render_tiny``.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.root = folder, root
        self.teacher, self.student, self.distill = (folder / f'{name}.py' for name in ('teacher', 'student', 'distill'))
        self.checkpoint = folder / 'teachers' / 'tiny.pth'
        clip = "dict(type='SampleFrames', clip_len=4, frame_interval=2, num_clips=1, test_mode=test_mode)"
        segments = "dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=4, test_mode=test_mode)"
        self.teacher.write_text(_SCHEDULE + _DATA.format(root=str(root), sampler=clip, layout='NCTHW') + _TEACHER)
        self.student.write_text(_SCHEDULE + _DATA.format(root=str(root), sampler=segments, layout='NCHW') + _STUDENT)
        values = dict(teacher=str(self.teacher), checkpoint=str(self.checkpoint), root=str(root))
        self.distill.write_text(_DISTILL.format(mmkd=str(ROOT / 'configs/_base_/mmkd.py'), **values))

    def environment(self, **more) -> dict[str, str]:
        """Return the environment of a tool."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get('PATH', '')])
        port = str(random.randint(20000, 40000))  # of torchrun
        return {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT), 'PATH': path, 'PORT': port, **more}

    def run(self, tool, *arguments, check: bool = True, **environment) -> subprocess.CompletedProcess:
        """Run a Python tool (a path below tools/, or any other) in the experiment's folder."""
        command = [sys.executable, str(TOOLS / tool), *map(str, arguments)]
        if str(tool).endswith('.sh'):
            command = ['bash', *command[1:]]
        environment = self.environment(**environment)
        done = subprocess.run(command, cwd=self.folder, env=environment, text=True, capture_output=True, timeout=300)
        if check and done.returncode != 0:
            raise AssertionError(f'{command} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}')
        return done


def render_tiny(root: Path) -> Path:
    """Render the few clips."""
    render_motion_clips(root, num_clips=NUM_CLIPS)
    return root
