"""A small distillation that unfreezes its backbone from the end."""

import tiny

GRADUAL = dict(modules=['backbone.conv1', 'backbone.layer1'], until=1, every=1)
TERMS = [dict(type='KDLoss', at='logits', weight=0.5), dict(type='FitNetLoss', at='backbone.layer1', begin=1)]


def build(videos, work_dir, name, hook=GRADUAL, epochs=3, model=None, **extra):
    return tiny.runner(
        videos,
        work_dir,
        name,
        model or tiny.distiller(terms=TERMS),
        hooks=[dict(type='FreezeHook', **hook), *extra.pop('hooks', [])],
        train_cfg=extra.pop('loop', dict(max_epochs=epochs)),
        param_scheduler=[dict(type='MultiStepLR', milestones=[100])],
        **extra,
    )
