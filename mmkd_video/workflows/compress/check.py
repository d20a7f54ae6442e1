"""What ``tools/compress.py`` looks at before it trains for hours."""

import argparse
import contextlib
import io
from collections.abc import Mapping, Sequence

from mmengine.config import Config

from mmkd_video.core.checked import keys_of
from mmkd_video.core.optional_packages import expect_extra
from mmkd_video.hooks import PruningHook

BLOCKS = ('prune', 'export', 'quantize', 'benchmark')
OWN = ('format', 'model', 'file', 'out', 'picture', 'force')  # options that compress.py gives the tools itself
EXTRAS = {  # block, or None for all: packages and the extras that bring them
    None: (('onnx', 'onnx'), ('onnxscript', 'onnx'), ('onnxruntime', 'onnx'), ('openvino', 'openvino')),
    'prune': (('torch_pruning', 'prune'),),
    'quantize': (('nncf', 'quant'),),
}


def expect_blocks(settings: Mapping) -> None:
    """See that blocks hold settings, and none that are made up here.

    Args:
        settings: The block ``compress``.

    Raises:
        ValueError: A block holds an option that is not for the user to set, no clips to draw accuracies of, or a
            precision in which not both files can be written.
    """
    for name in BLOCKS:
        block = settings.get(name)
        taken = sorted(set(block or ()) & set(OWN))
        if taken and name != 'prune':
            raise ValueError(f'compress.{name}: got {", ".join(taken)}, which compress.py chooses itself; leave it out')
    if (settings.get('benchmark') or {}).get('clips') == 0:
        raise ValueError('compress.benchmark.clips: got 0; expected at least 1, the picture shows accuracies')
    precision = (settings.get('export') or {}).get('precision', 'f32')
    if precision != 'f32':
        raise ValueError(
            f"compress.export.precision: got {precision!r}; expected 'f32', the only one that the ONNX file has; the "
            'int8 file is that of compress.quantize'
        )


def trains_in_int8(config: Config) -> bool:
    """Tell whether a training leaves a student with quantizers."""
    return any(hook.get('type') == 'QATHook' for hook in config.get('custom_hooks') or [])


def expect_pruning(run: Config, in_int8: bool = False) -> None:
    """See that a pruning has a target and settings that can be meant.

    Args:
        run: The config of the training that prunes; the last of its hooks does.
        in_int8: Whether the student that it begins from has quantizers.

    Raises:
        ValueError: There is no target, a setting is out of range, or it would prune a student with quantizers.
        KeyError: A setting is unknown.
    """
    hook = run.custom_hooks[-1]
    if in_int8 and trains_in_int8(run):
        raise ValueError(
            'compress.prune: the distilled student has the quantizers of QATHook, and such a student is not pruned; '
            'leave QATHook out of custom_hooks, and give it in compress.prune.config.custom_hooks to begin after '
            'the pruning'
        )
    if hook.get('target') is None:
        raise ValueError('compress.prune.hook: got no target; expected such as target=dict(flops=0.5), what is left')
    settings = {key: value for key, value in hook.items() if key != 'type'}
    keys_of(PruningHook).check('compress.prune.hook', settings)
    try:
        built = PruningHook(**settings)
    except ValueError as error:
        raise ValueError(f'compress.prune.hook: {error}') from error
    last, epochs = built.points[-1], (run.get('train_cfg') or {}).get('max_epochs')
    if built.by_epoch and epochs is not None and last >= epochs:
        raise ValueError(f'compress.prune.hook.end: got {last}; expected less than the {epochs} epochs of its training')


def expect_arguments(block: str, parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """See that a stage's tool understands its arguments.

    Args:
        block: Of ``compress``, where they come from.
        parser: Of the tool.
        arguments: Of its command line.

    Raises:
        ValueError: It does not; carries what the parser says.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parser.parse_args(arguments)
    except SystemExit:
        raise ValueError(f'compress.{block}: {said.getvalue().strip().rpartition("error: ")[2]}') from None


def expect_extras(settings: Mapping) -> None:
    """See that the packages of all stages are installed.

    Args:
        settings: The block ``compress``.

    Raises:
        MissingExtraError: One is missing.
    """
    for block, packages in EXTRAS.items():
        if block is None or settings.get(block) is not None:
            for module, extra in packages:
                expect_extra(module, extra)
