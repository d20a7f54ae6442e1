"""Small real videos: a square that moves right or left over noise, by class."""

import cv2
import numpy as np


def encode(path, label, frames=16, size=64, seed=0):
    """Write one mp4 clip of ``size`` x ``size`` pixels."""
    rng = np.random.default_rng([seed, label])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 12, (size, size))
    top, left = rng.integers(4, size - 20, 2)
    for t in range(frames):
        image = rng.integers(0, 60, (size, size, 3), dtype=np.uint8)
        x = (left + (2 * t if label % 2 else -2 * t)) % (size - 14)
        image[top : top + 14, x : x + 14] = 90 + 30 * label
        writer.write(image)
    writer.release()


def make_set(root, count=8, classes=5, frames=16):
    """Write ``count`` clips with an annotation file ``list.txt`` into ``root`` and return its path."""
    root.mkdir(parents=True, exist_ok=True)
    lines = []
    for i in range(count):
        encode(root / f'{i}.mp4', i % classes, frames, seed=i)
        lines.append(f'{i}.mp4 {i % classes}')
    (root / 'list.txt').write_text('\n'.join(lines) + '\n')
    return root


def pipeline(frames=8, size=32, train=True, layout='NCHW'):
    """Return an ordinary pipeline: decord, a random crop, a flip."""
    sample = dict(clip_len=1, num_clips=frames) if layout == 'NCHW' else dict(clip_len=frames, num_clips=1)
    crop = dict(type='RandomCrop', size=size) if train else dict(type='CenterCrop', crop_size=size)
    steps = [
        dict(type='DecordInit'),
        dict(type='SampleFrames', test_mode=not train, **sample),
        dict(type='DecordDecode'),
        crop,
        dict(type='FormatShape', input_format=layout),
        dict(type='PackActionInputs'),
    ]
    if train:
        steps.insert(4, dict(type='Flip', flip_ratio=0.5))
    return steps


def runner_config(root, work_dir, model, train_pipeline=None, epochs=2, batch_size=2, workers=0, **extra):
    """Return a whole config on the clips of ``root``, as a user's own config would be."""

    def loader(steps, shuffle):
        return dict(
            batch_size=batch_size,
            num_workers=workers,
            persistent_workers=workers > 0,
            sampler=dict(type='DefaultSampler', shuffle=shuffle),
            dataset=dict(
                type='VideoDataset',
                ann_file=str(root / 'list.txt'),
                data_prefix=dict(video=str(root)),
                pipeline=steps,
                test_mode=not shuffle,
            ),
        )

    return dict(
        dict(
            default_scope='mmaction',
            custom_imports=dict(imports=['mmkd_video'], allow_failed_imports=False),
            model=model,
            train_dataloader=loader(train_pipeline or pipeline(), True),
            val_dataloader=loader(pipeline(train=False), False),
            val_evaluator=dict(type='AccMetric'),
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=epochs, val_interval=1),
            val_cfg=dict(type='ValLoop'),
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3)),
            param_scheduler=[dict(type='CosineAnnealingLR', T_max=epochs)],
            default_hooks=dict(
                runtime_info=dict(type='RuntimeInfoHook'),
                timer=dict(type='IterTimerHook'),
                logger=dict(type='LoggerHook', interval=1, ignore_last=False),
                param_scheduler=dict(type='ParamSchedulerHook'),
                checkpoint=dict(type='CheckpointHook', interval=1),
                sampler_seed=dict(type='DistSamplerSeedHook'),
                sync_buffers=dict(type='SyncBuffersHook'),
            ),
            custom_hooks=[dict(type='DistillHook')],
            env_cfg=dict(dist_cfg=dict(backend='gloo')),
            randomness=dict(seed=0),
            visualizer=dict(type='ActionVisualizer', vis_backends=[dict(type='LocalVisBackend')]),
            work_dir=str(work_dir),
            log_level='INFO',
        ),
        **extra,
    )
