"""The default pair of ``tools/benchmark.py step``: MMAction2's I3D-R50 teaches its TSM-MobileNetV2, on small clips."""

from collections.abc import Sequence

from mmengine.config import Config

MEAN_STD = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
CLASSES, BATCH_SIZE, PIXELS = 8, 4, 64
TAPS = (('layer3', 'layer2'), ('layer5', 'layer3'), ('layer7', 'layer4'))  # same stride in space, 8, 16 and 32


def default_config(clips: str, pipelines: tuple[Sequence[dict], Sequence[dict]] | None = None) -> Config:
    """Return the distillation config of the default pair.

    Args:
        clips: Folder of the embedded clips, or of other ones with a ``train.txt``.
        pipelines: Training pipelines of student and teacher; by default those for the embedded clips.
    """
    student = dict(
        type='Recognizer2D',
        backbone=dict(type='MobileNetV2TSM', num_segments=8, shift_div=8, pretrained=None, pretrained2d=False),
        cls_head=dict(type='TSMHead', num_classes=CLASSES, in_channels=1280, num_segments=8, is_shift=True),
        data_preprocessor=dict(type='ActionDataPreprocessor', format_shape='NCHW', **MEAN_STD),
    )
    teacher = dict(
        type='Recognizer3D',
        backbone=dict(
            type='ResNet3d',
            depth=50,
            pretrained=None,
            pretrained2d=False,
            conv1_kernel=(5, 7, 7),
            conv1_stride_t=2,
            pool1_stride_t=2,
            inflate=((1, 1, 1), (1, 0, 1, 0), (1, 0, 1, 0, 1, 0), (0, 1, 0)),
            zero_init_residual=False,
        ),
        cls_head=dict(type='I3DHead', num_classes=CLASSES, in_channels=2048),
        data_preprocessor=dict(type='ActionDataPreprocessor', format_shape='NCTHW', **MEAN_STD),
    )
    ours, theirs = pipelines or (_pipeline(8, 2, 'NCHW'), _pipeline(16, 1, 'NCTHW'))
    views = dict(type='DistillViews', student=ours, teacher=theirs)
    terms = [
        dict(type='FitNetLoss', at=(f'backbone.{ours}', f'backbone.{theirs}'), name=f'fitnet_{ours}')
        for ours, theirs in TAPS
    ]
    return Config(
        dict(
            model=dict(type='Distiller', student=student, teacher=dict(config=teacher, checkpoint=None), terms=terms),
            train_dataloader=dict(
                batch_size=BATCH_SIZE,
                dataset=dict(
                    type='VideoDataset', ann_file='train.txt', data_root=clips, data_prefix=dict(video=''),
                    pipeline=[views],
                ),
            ),
            optim_wrapper=dict(
                type='OptimWrapper',
                optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
                clip_grad=dict(max_norm=5.0, norm_type=2),
            ),
        )
    )  # fmt: skip


def ordinary_pipelines() -> tuple[list[dict], list[dict]]:
    """Return training pipelines of student and teacher for videos of an ordinary size and length."""
    augmented = [
        dict(type='Resize', scale=(-1, 128)),
        dict(type='RandomResizedCrop'),
        dict(type='Resize', scale=(PIXELS, PIXELS), keep_ratio=False),
        dict(type='Flip', flip_ratio=0.5),
    ]
    found = []
    for frames, interval, layout in ((8, 8, 'NCHW'), (16, 4, 'NCTHW')):
        steps = _pipeline(frames, interval, layout)
        found.append([*steps[:3], *augmented, *steps[5:]])
    return found[0], found[1]


def _pipeline(frames: int, interval: int, layout: str) -> list[dict]:
    return [
        dict(type='DecordInit'),
        dict(type='SampleFrames', clip_len=frames, frame_interval=interval, num_clips=1),
        dict(type='DecordDecode'),
        dict(type='RandomCrop', size=56),
        dict(type='Resize', scale=(PIXELS, PIXELS), keep_ratio=False),
        dict(type='FormatShape', input_format=layout),
        dict(type='PackActionInputs'),
    ]
