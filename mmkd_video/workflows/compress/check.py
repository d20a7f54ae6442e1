"""Checks that ``tools/compress.py`` makes before it trains for hours."""

from collections.abc import Mapping

from mmengine.config import Config

from mmkd_video.core.checked import keys_of
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.optional_packages import expect_extra
from mmkd_video.export import export_backends, int8_backends
from mmkd_video.hooks import PruningHook

PRUNING = {'torch_pruning': 'prune'}  # the package that pruning needs, and the extra that brings it


def trains_in_int8(config: Config) -> bool:
    """Return whether a training leaves a student with quantizers."""
    return any(hook.get('type') == 'QATHook' for hook in config.get('custom_hooks') or [])


def expect_pruning(run: Config, in_int8: bool = False) -> None:
    """Check that a pruning has a target and valid settings.

    Args:
        run: The config of the training that prunes; the last of its hooks does.
        in_int8: Whether the student that it begins from has quantizers.

    Raises:
        ValueError: There is no target, a setting is out of range, or it would prune a student with quantizers.
        KeyError: A setting is unknown.
    """
    hook = run.custom_hooks[-1]
    if in_int8 and trains_in_int8(run):
        raise WrongValueError(
            'compress.prune: the distilled student has the quantizers of QATHook, and such a student is not pruned; '
            'leave QATHook out of custom_hooks, and give it in compress.prune.config.custom_hooks to begin after '
            'the pruning'
        )
    if hook.get('target') is None:
        raise WrongValueError(
            'compress.prune.hook: got no target; expected such as target=dict(flops=0.5), what is left'
        )
    settings = {key: value for key, value in hook.items() if key != 'type'}
    keys_of(PruningHook).check('compress.prune.hook', settings)
    try:
        built = PruningHook(**settings)
    except ValueError as error:
        raise WrongValueError(f'compress.prune.hook: {error}') from error
    last, epochs = built.points[-1], (run.get('train_cfg') or {}).get('max_epochs')
    if built.by_epoch and epochs is not None and last >= epochs:
        raise WrongValueError(
            f'compress.prune.hook.end: got {last}; expected less than the {epochs} epochs of its training'
        )


def expect_extras(settings: Mapping) -> None:
    """Check that the packages of all stages are installed.

    Args:
        settings: The block ``compress``.

    Raises:
        MissingExtraError: One is missing.
    """
    needed = [each.packages for each in export_backends().values()]
    if settings.get('prune') is not None:
        needed.append(PRUNING)
    if settings.get('quantize') is not None:
        needed.append(int8_backends()[0].int8_maker.packages)
    for packages in needed:
        for module, extra in packages.items():
            expect_extra(module, extra)
