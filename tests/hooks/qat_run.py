"""A training with quantizers: an I3D that learns from another one, on real clips."""

import clips
import pruned_run
import zoo

HOOK = dict(type='QATHook', begin=1, calibration=4, operators='torch')


def distiller():
    """Return an I3D that learns from another one, on logits and on a feature."""
    student, size = zoo.config_of('i3d')
    return dict(
        type='Distiller',
        student=student,
        teacher=dict(config=zoo.config_of('i3d')[0], checkpoint=None),
        terms=[dict(type='KDLoss', at='logits', weight=0.9), dict(type='FitNetLoss', at='backbone.layer4')],
        input_size=size,
    )


def config_for(videos, work_dir, hook=HOOK, model=None, epochs=3, hooks=(), **extra):
    """Return the config of such a training."""
    pipeline = clips.pipeline(layout='NCTHW')
    model = model or distiller()
    config = pruned_run.config_for(
        videos, work_dir, hook=hook, model=model, epochs=epochs, ema=None, train_pipeline=pipeline, **extra
    )
    config.val_dataloader.dataset.pipeline = clips.pipeline(train=False, layout='NCTHW')
    config.custom_hooks = [*config.custom_hooks, *hooks]
    return config
