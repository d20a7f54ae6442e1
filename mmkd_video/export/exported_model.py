"""The door for backends: one class writes recognizers as files of its format and runs those files."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from torch import nn

from mmkd_video.core.mistakes import MissingFileError, WrongTypeError, WrongValueError
from mmkd_video.core.registry import EXPORT_BACKENDS
from mmkd_video.export.frame_stream import FrameStream, frames_of
from mmkd_video.export.int8_maker import Int8Maker
from mmkd_video.export.metadata import PRECISIONS, ExportMetadata
from mmkd_video.export.seal import expect_sealed


class ExportedModel(ABC):
    """An exported file in its runtime: raw clips in, probabilities out. Each subclass is a backend.

    A backend that is registered in ``EXPORT_BACKENDS`` is known to every tool by its name. Its class tells what it
    writes: :meth:`export`, ``written``, ``precisions``. An object of it is one open file.

    Attributes:
        backend: Name of the runtime, as ``--backend`` takes it.
        format: Name of the format that it writes, as ``--format`` takes it.
        title: Name of the runtime in messages.
        written: Suffixes of the files that one export writes; the first is that of the file that is opened.
        suffixes: Suffixes of the files that the runtime opens; of those in ``written`` it is the default runtime.
        precisions: Precisions that its files may be written for.
        int8_maker: Library that makes its int8 files; None where ``export`` does, or nothing.
        refusals: Reasons why it lacks a precision, by precision.
        packages: Extras of mmkd_video by the package that each brings.
        concurrent: Whether several threads may run one open file at the same time.

    Args:
        path: The file.
        threads: CPU threads of one inference; the runtime's choice by default.
        precision: ``'f32'``, ``'bf16'``, or ``'int8'`` for a quantized file as it is; what the metadata say by default.
        batch: Batch size to fix, which lets the runtime plan ahead; any by default. What the file fixes stays, and
            larger batches run in pieces.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, does not come from mmkd_video, or does not go with an argument.
        MissingExtraError: The runtime is not installed.
    """

    backend: ClassVar[str]
    format: ClassVar[str]
    title: ClassVar[str]
    written: ClassVar[tuple[str, ...]]
    suffixes: ClassVar[tuple[str, ...]]
    precisions: ClassVar[tuple[str, ...]] = ('f32',)
    int8_maker: ClassVar[Int8Maker | None] = None
    refusals: ClassVar[Mapping[str, str]] = {}
    packages: ClassVar[Mapping[str, str]] = {}
    concurrent: ClassVar[bool] = False

    def __init__(
        self, path: str | Path, threads: int | None = None, precision: str | None = None, batch: int | None = None
    ) -> None:
        self.path = Path(path)
        if self.path.suffix not in self.suffixes:
            raise WrongValueError(f'{self.backend}: got {str(path)!r}, expected a file that ends in {self.suffixes}')
        if not self.path.is_file():
            raise MissingFileError(f'{self.backend}: there is no {path}; write it with tools/export.py')
        for name, value in (('threads', threads), ('batch', batch)):
            if value is not None and value < 1:
                raise WrongValueError(f'{self.backend}: {name}: got {value}, expected at least 1')
        if precision is not None and precision not in PRECISIONS:
            raise WrongValueError(f'{self.backend}: precision: got {precision!r}, expected one of {PRECISIONS}')
        self.threads, self.batch = threads, batch
        expect_sealed(self.path, self._parts())
        self.metadata = ExportMetadata.from_strings(self._open(), self.path)
        self.precision = precision or self.metadata.precision
        if self.precision == 'int8' and self.metadata.precision != 'int8':
            raise WrongValueError(
                f"{self.path} is not quantized, so precision='int8' is not possible; run tools/quantize.py"
            )
        self._compile()

    @classmethod
    @abstractmethod
    def export(
        cls,
        model: nn.Module,
        path: str | Path,
        clips: np.ndarray,
        metadata: ExportMetadata | None = None,
        dynamic_clips: bool = False,
        force: bool = False,
    ) -> Path:
        """Write a recognizer as a file of this backend's format.

        Args:
            model: A recognizer, or a :class:`DeployableRecognizer`.
            path: The first file; ends in ``written[0]``.
            clips: ``(N, M, ...)`` of the shape and type that the file is to take.
            metadata: Description that the file carries of itself; by default derived from model and clips.
            dynamic_clips: Whether M is dynamic too.
            force: Whether existing files may be replaced.

        Returns:
            The path of the first file.
        """

    @classmethod
    def export_stream(cls, model: nn.Module, path: str | Path, metadata: ExportMetadata, force: bool = False) -> Path:
        """Write a recognizer as a file that takes one frame at a time, and keeps states.

        Args:
            model: A :class:`StreamingRecognizer`.
            path: The first file; ends in ``written[0]``.
            metadata: Description that the file carries of itself; it tells the states.
            force: Whether existing files may be replaced.

        Returns:
            The path of the first file.

        Raises:
            ValueError: This backend writes no such files.
        """
        raise WrongValueError(
            f'--stream: {cls.title} has no files with states; choose --format onnx or openvino, or leave it out'
        )

    def begin(self) -> FrameStream:
        """Begin a video, of which the file takes one frame at a time.

        Raises:
            ValueError: The file takes whole clips, or the backend runs none with states.
        """
        raise WrongValueError(f'{self.path}: {self.title} runs no file with states; expected one of whole clips')

    @classmethod
    def expect_precision(cls, precision: str, option: str = '--precision') -> None:
        """See that files of this format may be written for a precision.

        Args:
            precision: ``'f32'``, ``'bf16'`` or ``'int8'``.
            option: Name of the option in the message.

        Raises:
            ValueError: They may not.
        """
        if precision in cls.precisions:
            return
        reason = f'{cls.title} has {", ".join(cls.precisions)}; choose one of these'
        if precision in cls.refusals:
            others = [each for each in EXPORT_BACKENDS.module_dict.values() if precision in each.precisions]
            names, formats = (' and '.join(getattr(each, key) for each in others) for key in ('title', 'format'))
            reason = f'{precision} is written for {names} only, as --format {formats}; {cls.refusals[precision]}'
        raise WrongValueError(f'{option} {precision}: {reason}')

    @classmethod
    def reason_against(cls, precision: str) -> str | None:
        """Return why this machine cannot run a precision that the format has; None where it can.

        Args:
            precision: One of ``precisions``.

        Raises:
            MissingExtraError: The runtime is not installed.
        """
        return None

    @classmethod  # noqa: B027  nothing to do is an answer
    def load_libraries(cls) -> None:
        """Load what the runtime needs before any file is opened, so that its memory is not taken for a model's.

        Raises:
            MissingExtraError: The runtime is not installed.
        """

    @classmethod
    def files(cls, path: Path) -> list[Path]:
        """Return all files that belong to an exported one, that one first.

        Args:
            path: The file that is opened.
        """
        others = cls.written[1:] if path.suffix == cls.written[0] else ()
        return [path, *(path.with_suffix(suffix) for suffix in others)]

    def __call__(self, clips: np.ndarray) -> np.ndarray:
        """Classify a batch.

        Args:
            clips: ``(N, M, ...)`` as ``metadata.layout``, ``shape`` and ``dtype`` say; raw frames, 0 to 255.

        Returns:
            ``(N, K)`` float32 probabilities.

        Raises:
            ValueError: Another shape.
            TypeError: Another type of numbers.
        """
        self.check(clips)
        if self.metadata.streams:
            return np.stack([self._stream(clip) for clip in clips])
        size = self.metadata.batch or len(clips)
        if len(clips) == size:
            return self._infer(clips)
        pieces = [_filled(clips[start : start + size], size) for start in range(0, len(clips), size)]
        return np.concatenate([self._infer(piece) for piece in pieces])[: len(clips)]

    def predict(self, clips: np.ndarray | Sequence[np.ndarray], batch_size: int = 8) -> np.ndarray:
        """Classify any number of clips.

        Args:
            clips: ``(N, M, ...)``, or a list of samples of one shape.
            batch_size: Samples at once, unless ``batch`` fixes it.

        Returns:
            ``(N, K)`` float32 probabilities.
        """
        size = self.batch or batch_size
        starts = range(0, len(clips), size)
        pieces = (np.stack(list(clips[start : start + size])) for start in starts)
        return np.concatenate([self(_filled(piece, self.batch or len(piece)))[: len(piece)] for piece in pieces])

    def check(self, clips: np.ndarray) -> None:
        """Check a batch against the metadata; see :meth:`__call__`."""
        expected, found = self.metadata.shape, clips.shape[1:]
        if self.metadata.dynamic_clips:
            expected, found = expected[1:], found[1:]
        if clips.ndim != len(self.metadata.shape) + 1 or tuple(found) != tuple(expected):
            middle = ('any', *expected) if self.metadata.dynamic_clips else expected
            raise WrongValueError(
                f'{self.path} takes clips (N, {", ".join(map(str, middle))}) in the layout {self.metadata.layout}, got '
                f'{tuple(clips.shape)}; the pipeline it was exported with is in its metadata'
            )
        if self.batch is not None and len(clips) != self.batch:
            raise WrongValueError(f'{self.path} was opened for batches of {self.batch}, got {len(clips)}')
        if clips.dtype != np.dtype(self.metadata.dtype):
            raise WrongTypeError(
                f'{self.path} takes {self.metadata.dtype} frames as the pipeline decodes them (normalisation is '
                f'inside), got {clips.dtype}'
            )

    def _stream(self, clip: np.ndarray) -> np.ndarray:
        """Return the probabilities after the last frame of a clip."""
        stream = self.begin()
        for frame in frames_of(clip, self.metadata.layout):
            found = stream(frame)
        return found

    def _expect_states(self, found: Mapping[str, Sequence[int]]) -> None:
        """Check the states of a file, each with N, against its metadata."""
        told = {each['name']: [1, *each['shape']] for each in self.metadata.states}
        if told != {name: list(shape) for name, shape in found.items()}:
            names = sorted(name for name in {*told, *found} if told.get(name) != list(found.get(name, ())))
            raise WrongValueError(
                f'{self.path}: metadata: states: got {len(told)}, but the file has {len(found)}, and they differ in '
                f'{names[0][:60]!r}; expected the same; export it again'
            )

    def _parts(self) -> tuple[str, ...]:
        """Return the suffixes of all files that belong together, that of ``path`` first."""
        for each in self.files(self.path):
            if not each.is_file():
                raise MissingFileError(f'{self.backend}: {self.path} needs the weights {each} beside it')
        return tuple(each.suffix for each in self.files(self.path))

    @abstractmethod
    def _open(self) -> dict[str, str]:
        """Read the file; return its metadata, JSON by field."""

    def _compile(self) -> None:  # noqa: B027  nothing to do is an answer
        """Make the file ready to run in ``self.precision``."""

    @abstractmethod
    def _infer(self, clips: np.ndarray) -> np.ndarray:
        """Run one batch that was checked."""


def _filled(clips: np.ndarray, size: int) -> np.ndarray:
    """Return a batch with its last clip repeated until it has that size."""
    missing = size - len(clips)
    return np.concatenate([clips, np.repeat(clips[-1:], missing, axis=0)]) if missing else clips
