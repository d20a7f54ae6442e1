# MMAction2's runtime, with TensorBoard beside the JSON log; the last two checkpoints are kept, none is chosen by score.
_base_ = 'mmaction::_base_/default_runtime.py'
default_hooks = dict(checkpoint=dict(max_keep_ckpts=2, save_best=None))
visualizer = dict(vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')])
