"""Which layers lose accuracy in int8, and how many of them must stay in float."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmkd_video.core.checked import Number
from mmkd_video.core.mistakes import WorkFailedError, WrongValueError
from mmkd_video.core.optional_packages import import_extra
from mmkd_video.quantization.ptq import fold_constants, quantizable_layers, quantize_openvino

RANKING_CLIPS = 16


@dataclass(frozen=True)
class QuantizationResult:
    """A quantized model and its loss of accuracy.

    Args:
        model: The ``openvino.Model``.
        float_layers: Names of the layers left in float, most sensitive first.
        before: Score of the float model.
        after: Score of the quantized model.
        fully: Score with all layers quantized.
    """

    model: Any
    float_layers: tuple[str, ...]
    before: float
    after: float
    fully: float


class DropTooLargeError(WrongValueError):
    """Quantization loses too much of the score in every try.

    Args:
        message: Text that says what was asked for, what was found and what to do.
        best: The try that keeps most.
    """

    def __init__(self, message: str, best: QuantizationResult) -> None:
        super().__init__(message)
        self.best = best


def quantize_within(
    model: Any,
    calibration: Sequence[np.ndarray],
    validation: Sequence[np.ndarray],
    score: Callable[[np.ndarray], float],
    max_drop: float = 0.01,
    preset: str = 'mixed',
) -> QuantizationResult:
    """Quantize an OpenVINO model; leave the most sensitive layers in float until the score drops by little enough.

    Layers are ranked by how much nearer the probabilities come to those of the float model when that layer alone is in
    float. How many of them stay in float is found by bisection, each try quantized and scored by itself.

    Args:
        model: An ``openvino.Model`` in float; it is not changed.
        calibration: Clips, see :func:`quantize_openvino`.
        validation: Clips to score on, each ``(M, ...)``.
        score: Function that scores ``(N, K)`` probabilities of ``validation``; larger is better.
        max_drop: Largest loss of score.
        preset: Preset, as in :func:`quantize_openvino`.

    Raises:
        MissingExtraError: NNCF or OpenVINO is not installed.
        ValueError: There are no clips, or one has another shape.
        DropTooLargeError: The score falls by more with nearly every layer in float; holds the best try.
        RuntimeError: NNCF cannot quantize this model, or OpenVINO cannot run it in int8.
    """
    if not len(validation):
        raise WrongValueError('validation: got no clips, expected at least one; the data set is empty')
    Number(0).check('quantize_within.max_drop', max_drop)
    model = fold_constants(model)
    expected = classify(model, validation)
    before = score(expected)

    def attempt(float_layers: Sequence[str]) -> tuple[Any, float]:
        quantized = quantize_openvino(model, calibration, preset, float_layers)
        return quantized, score(classify_in_int8(quantized, validation))

    quantized, fully = attempt(())
    kept = QuantizationResult(quantized, (), before, fully, fully)
    if before - fully > max_drop:
        ranked = rank_layers(model, quantized, validation[:RANKING_CLIPS], expected[:RANKING_CLIPS])
        few, many, tries, kept = 0, len(ranked), [kept], None  # `few` is too few; `many` leaves nothing to quantize
        while many - few > 1:
            middle = (few + many) // 2
            candidate, reached = attempt(ranked[:middle])
            tries.append(QuantizationResult(candidate, tuple(ranked[:middle]), before, reached, fully))
            if before - reached > max_drop:
                few = middle
            else:
                many, kept = middle, tries[-1]
        if kept is None:
            raise DropTooLargeError(
                f'max_drop={max_drop:g} cannot be reached: the score falls from {before:.4f} to {fully:.4f}, and stays '
                'low with all but one layer in float; allow a larger drop, calibrate on more clips, or train with '
                'QATHook',
                max(tries, key=lambda each: each.after),  # of equal ones the first, which has fewest layers in float
            )
    return kept


def rank_layers(model: Any, quantized: Any, clips: Sequence[np.ndarray], expected: np.ndarray) -> list[str]:
    """Order the layers of a model by how much the error falls when one of them is not quantized.

    Args:
        model: Model in float, after ``fold_constants``.
        quantized: The same in int8.
        clips: ``N`` of them.
        expected: ``(N, K)`` probabilities of ``model``.

    Returns:
        Names, most sensitive first.
    """
    errors = {
        name: float(np.square(classify_in_int8(_with_float_layer(quantized, model, name), clips) - expected).mean())
        for name in quantizable_layers(model)
    }
    return sorted(errors, key=errors.get)


def classify(model: Any, clips: Sequence[np.ndarray]) -> np.ndarray:
    """Classify clips one by one on the CPU; what is not quantized is computed in float32.

    Args:
        model: An ``openvino.Model``.
        clips: ``N``, each ``(M, ...)``.

    Returns:
        ``(N, K)`` probabilities.

    Raises:
        ValueError: A clip has another shape than the model takes.
        RuntimeError: OpenVINO cannot run the model.
    """
    return _classify(model, clips, nullcontext)


def classify_in_int8(model: Any, clips: Sequence[np.ndarray]) -> np.ndarray:
    """Classify clips as :func:`classify` does, with a quantized model.

    Raises:
        ValueError: A clip has another shape than the model takes.
        RuntimeError: OpenVINO cannot run the model in int8; the message says what to do.
    """
    return _classify(model, clips, _explaining_int8_errors)


def _classify(
    model: Any, clips: Sequence[np.ndarray], explaining: Callable[[], AbstractContextManager[None]]
) -> np.ndarray:
    openvino = import_extra('openvino', 'quant')
    with explaining():
        compiled = openvino.Core().compile_model(model, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
    taken, found = model.input(0).get_partial_shape(), []
    for index, clip in enumerate(clips):  # decoded here, which is no fault of the model
        if not taken.compatible(openvino.PartialShape([1, *clip.shape])):
            expected = ', '.join(map(str, list(taken)[1:]))
            raise WrongValueError(
                f'clip {index} has the shape {clip.shape}, the model takes (N, {expected}); resize clips to one size, '
                'for instance with CenterCrop'
            )
        with explaining():
            found.append(compiled([clip[None]])[0])
    return np.concatenate(found)


@contextmanager
def _explaining_int8_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        reason = next((line for line in reversed(str(error).splitlines()) if line.strip()), 'it does not say why')
        raise WorkFailedError(
            f'OpenVINO {import_extra("openvino", "quant").__version__} cannot run this model in int8 '
            f'({reason.strip()}); a TSM that lost single channels is one that it cannot: prune fewer, or with '
            'round_to=8 (--round-to 8)'
        ) from error


def _with_float_layer(quantized: Any, model: Any, name: str) -> Any:
    operators = import_extra('openvino.opset13', 'quant')
    changed = quantized.clone()
    layer = _named(changed, name)
    source = layer.input_value(0).get_node()
    if source.get_type_name() == 'FakeQuantize':
        layer.input(0).replace_source_output(source.input_value(0))
    weights = np.array(_named(model, name).input_value(1).get_node().data)
    layer.input(1).replace_source_output(operators.constant(weights).output(0))
    return changed


def _named(model: Any, name: str) -> Any:
    return next(node for node in model.get_ops() if node.get_friendly_name() == name)
