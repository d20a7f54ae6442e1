"""One small file per break of today's stack; loaded before anything else of the package.

``BREAKS`` lists what fails without a patch, ``FEATURES`` what OpenMMLab never offered and we add at the same
places. Three features stand outside this folder, as they need other rooms: :mod:`mmkd_video.pruning.loading` reads
pruning histories, :mod:`mmkd_video.datasets.decoders.choice` opens videos with the decoder that a user chose,
:mod:`mmkd_video.recognizers.recomputing` lets gradients be measured through activation checkpoints.

Every module has ``applies() -> bool`` (is the break in this stack, patched or not) and ``apply() -> None`` (patch it;
twice is once). Each patch waits for the import of the module it is about and imports nothing heavy itself.
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
    functional_tensor,
    gloo_exit,
    import_noise,
    missing_drn,
    multimodal_models,
    numpy_names,
    optim_wrapper,
    own_configs,
    plain_keys,
    repeat_aug,
    unwritten_log,
)

__all__ = ['BREAKS', 'FEATURES', 'apply', 'forced_loading']

BREAKS = (
    import_noise,
    missing_drn,
    multimodal_models,
    checkpoints,
    cpu_launch,
    gloo_exit,
    cpu_ddp,
    plain_keys,
    cpu_sync_batch_norm,
    cpu_amp,
    bfloat16_scores,
    color_jitter,
    functional_tensor,
    numpy_names,
    empty_annotations,
    annotation_lines,
    config_text,
    unwritten_log,
)

FEATURES = (optim_wrapper, repeat_aug, own_configs)


def apply() -> None:
    """Patch every break of this stack and add the features; a patch that is not needed changes nothing."""
    for item in (*BREAKS, *FEATURES):
        item.apply()


apply()
