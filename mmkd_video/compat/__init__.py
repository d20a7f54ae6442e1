"""One small file per break of today's stack; loaded before anything else of the package.

``BREAKS`` lists what does not work without a mend, ``FEATURES`` what OpenMMLab never could and we add at the same
places. Outside this folder only :mod:`mmkd_video.pruning.loading` adds one; it needs what pruning knows.

Every module has ``applies() -> bool`` (does this stack have the break, mended or not) and ``apply() -> None`` (mend it;
twice is once). Each mend waits for the import of the module it is about and imports nothing heavy itself.
"""

from mmkd_video.compat import (
    annotation_lines,
    bfloat16_scores,
    checkpoints,
    color_jitter,
    config_text,
    cpu_amp,
    cpu_ddp,
    cpu_launch,
    cpu_sync_batch_norm,
    empty_annotations,
    forced_loading,
    gloo_exit,
    import_noise,
    missing_drn,
    optim_wrapper,
    own_configs,
)

__all__ = ['BREAKS', 'FEATURES', 'apply', 'forced_loading']

BREAKS = (
    import_noise,
    missing_drn,
    checkpoints,
    cpu_launch,
    gloo_exit,
    cpu_ddp,
    cpu_sync_batch_norm,
    cpu_amp,
    bfloat16_scores,
    color_jitter,
    empty_annotations,
    annotation_lines,
    config_text,
)

FEATURES = (optim_wrapper, own_configs)


def apply() -> None:
    """Mend every break of this stack and add the features; each mend stands aside where it is not needed."""
    for item in (*BREAKS, *FEATURES):
        item.apply()


apply()
