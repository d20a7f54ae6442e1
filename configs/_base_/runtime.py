# MMAction2's runtime; of the checkpoints the last two are kept and none is chosen by its score.
_base_ = 'mmaction::_base_/default_runtime.py'
default_hooks = dict(checkpoint=dict(max_keep_ckpts=2, save_best=None))
