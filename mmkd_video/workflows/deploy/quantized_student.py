"""An int8 file of a student: from ranges found in training, written, looked at, compared."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mmkd_video.core.files.staged import commit_staged, staged_files
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.export import (
    PARITY_BOUNDS,
    DeployableRecognizer,
    ExportedModel,
    ExportMetadata,
    ParityReport,
)
from mmkd_video.export.parity import compare
from mmkd_video.quantization import ConvolutionCount, DropTooLargeError, QuantizationResult
from mmkd_video.recognizers.clip_source import ClipSource
from mmkd_video.recognizers.real_clips import RealClips

MAX_DROP, VALIDATION = 0.01, 300


@dataclasses.dataclass(frozen=True)
class QuantizedStudent:
    """An int8 file and what is known about it.

    Args:
        path: The file.
        report: Report of the parity check; None without one.
        convolutions: Number of convolutions that run in int8.
        float_layers: Names of the layers left in float so that the accuracy holds.
        scores: Top-1 on the validation clips, 0 to 1, of the model it was made from and of the file; None where it was
            not measured.
        megabytes: Size of the float files and of the int8 files.
    """

    path: Path
    report: ParityReport | None
    convolutions: ConvolutionCount
    float_layers: tuple[str, ...]
    scores: tuple[float, float] | None
    megabytes: tuple[float, float]

    @property
    def summary(self) -> str:
        """Summary of the file, without the parity check."""
        rows = [
            f'wrote {self.path} ({self.megabytes[1]:.2f} MB; in float {self.megabytes[0]:.2f} MB)',
            str(self.convolutions),
        ]
        if self.scores is not None:
            rows.append('top-1 on validation clips {:.2%} before, {:.2%} in int8'.format(*self.scores))
        if self.float_layers:
            rows.append(f'left in float for it: {", ".join(self.float_layers)}')
        return '\n'.join(rows)

    def __str__(self) -> str:
        check = 'not compared with the float model (--no-check)' if self.report is None else str(self.report)
        return f'{self.summary}\n{check}'


@dataclasses.dataclass(frozen=True)
class Source:
    """The source of an int8 file.

    Args:
        backend: Backend whose files it becomes.
        reference: The model whose probabilities the file is to give.
        name: Name of the reference.
        metadata: Description that the file will carry of itself; its precision becomes int8.
        megabytes: Size in float.
        exported: The float file; None where the quantizers were trained, so that the reference has them.
    """

    backend: type[ExportedModel]
    reference: DeployableRecognizer | ExportedModel
    name: str
    metadata: ExportMetadata
    megabytes: float
    exported: ExportedModel | None

    @classmethod
    def trained(cls, backend: type[ExportedModel], model: DeployableRecognizer, metadata: ExportMetadata) -> 'Source':
        """Return that of a model with the quantizers it was trained with."""
        size = sum(tensor.nbytes for tensor in model.recognizer.state_dict().values()) / 1e6
        return cls(backend, model, 'PyTorch', metadata, size, None)

    @property
    def metadata_in_int8(self) -> ExportMetadata:
        """Description of the int8 file."""
        return dataclasses.replace(self.metadata, precision='int8')


def convert_trained(
    source: Source, clips: np.ndarray, validating: ClipSource | None, max_drop: float = MAX_DROP
) -> tuple[Any, tuple[float, float] | None]:
    """Convert a model with the ranges it was trained with, and see that it can be run.

    Args:
        source: Source that :meth:`Source.trained` returned.
        clips: ``(N, M, ...)`` of the shape and type that the file is to take.
        validating: Clips to measure top-1 on; None to measure none.
        max_drop: Top-1 that may be lost on them, 0 to 1.

    Returns:
        The graph in int8, see :class:`Int8Maker`, and top-1 of the source and of it; None without ``validating``.

    Raises:
        DropTooLargeError: It loses more; holds the model.
        RuntimeError: It cannot be converted or run.
    """
    maker = source.backend.int8_maker
    graph = maker.convert(source.reference, clips)
    if validating is None:
        maker.classify(graph, clips[:1])
        return graph, None
    expected, labels = source.reference.predict(validating), validating.labels
    score = top1(expected.argmax(axis=1) if labels is None else labels)
    before, after = score(expected), score(maker.classify(graph, validating))
    if before - after > max_drop:
        raise DropTooLargeError(
            f'max_drop={max_drop}: the file loses {before - after:.2%} of top-1 beside the checkpoint, and its layers '
            'stay in int8 as they were trained; allow more (tools/quantize.py --max-drop), or quantize weights trained '
            'in float',
            QuantizationResult(graph, (), before, after, after),
        )
    return graph, (before, after)


@contextmanager
def keeping_best_try(source: Source, path: Path) -> Iterator[None]:
    """Write the best try as ``<name>.failed`` where none keeps enough accuracy: minutes of work are in it.

    Args:
        source: Source that it was made from.
        path: Place that the file would have had.

    Raises:
        ValueError: The block raised a ``DropTooLargeError``; the message says where the try is.
    """
    try:
        yield
    except DropTooLargeError as error:
        place, best = path.with_name(f'{path.stem}.failed{path.suffix}'), error.best
        source.backend.int8_maker.write(best.model, place, source.metadata_in_int8, force=True)
        in_float = f', {len(best.float_layers)} layers in float' if best.float_layers else ''
        raise WrongValueError(
            f'{error}. The best try is kept as {place} (top-1 {best.before:.2%} before, {best.after:.2%} in int8'
            f'{in_float})'
        ) from error


def top1(labels: np.ndarray) -> Callable[[np.ndarray], float]:
    """Return what scores probabilities ``(N, K)`` against ``(N,)`` labels."""
    return lambda found: float((found.argmax(axis=1) == labels).mean())


def write_quantized(
    source: Source,
    graph: Any,
    path: Path,
    compared: RealClips | None,
    float_layers: tuple[str, ...] = (),
    scores: tuple[float, float] | None = None,
) -> QuantizedStudent:
    """Write a quantized model and compare the file with what it was made from.

    Args:
        source: Source that it was made from.
        graph: Graph in int8, see :class:`Int8Maker`.
        path: The first file; files there are replaced unless the comparison fails.
        compared: Clips for the comparison; None for none.
        float_layers: The model's layers in float, see :class:`QuantizedStudent`.
        scores: The model's top-1, see :class:`QuantizedStudent`.
    """
    report, backend = None, source.backend
    with staged_files(path, backend.written) as staged:
        backend.int8_maker.write(graph, staged, source.metadata_in_int8)
        written = backend(staged)
        if compared is not None:
            expected, answers = source.reference.predict(compared.clips), written.predict(compared.clips)
            bound = PARITY_BOUNDS[written.precision]
            report = compare(expected, answers, written, compared.names, bound, source.name)
        convolutions = backend.int8_maker.count_convolutions(written)
        path = commit_staged(staged, path, backend.written, report is None or report.passed)
    if report is not None:
        report = dataclasses.replace(report, path=str(path))
    sizes = source.megabytes, megabytes(backend, path)
    return QuantizedStudent(path, report, convolutions, float_layers, scores, sizes)


def megabytes(backend: type[ExportedModel], path: Path) -> float:
    """Return the size of an exported file, with those that belong to it."""
    return sum(each.stat().st_size for each in backend.files(path)) / 1e6
