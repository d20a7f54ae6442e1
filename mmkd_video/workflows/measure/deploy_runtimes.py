"""What can run the models of a deployment benchmark: PyTorch, and every registered backend."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.export import DeployableRecognizer, ExportedModel, export_backends, int8_backends
from mmkd_video.workflows.measure.deploy_candidates import Candidate, Classify, in_torch
from mmkd_video.workflows.measure.exported_file import ExportedFile, runtime_name

EAGER, COMPILE = 'eager', 'compile'


class Runtime(ABC):
    """What runs models.

    Attributes:
        name: Name in the table, and in ``--runtimes``.
        backend: Backend whose files it runs; None where it runs the recognizer itself.
    """

    name: str
    backend: type[ExportedModel] | None = None

    def reason_against(self) -> str | None:
        """Return why this machine cannot run it; None where it can.

        Raises:
            MissingExtraError: It is not installed.
        """
        return None

    def file(self, candidate: Candidate, folder: Path, clips: np.ndarray) -> ExportedFile | None:
        """Return the file of a model that it runs, which is written once; None where it needs none.

        Args:
            candidate: The model.
            folder: Folder of exported files.
            clips: ``(N, M, ...)`` of the shape that is to be run.
        """
        return None

    @abstractmethod
    def open(self, candidate: Candidate, threads: int, folder: Path, clips: np.ndarray) -> tuple[Classify, int]:
        """Open a model; files are exported once, into a folder.

        Args:
            candidate: The model.
            threads: Number of CPU threads.
            folder: Folder of exported files.
            clips: ``(N, M, ...)``, of the very shape that is to be run: with a fixed batch, runtimes plan ahead.

        Returns:
            What classifies a batch, and the bytes of its file.
        """


class EagerRuntime(Runtime):
    """PyTorch as it is."""

    name = EAGER

    def open(self, candidate: Candidate, threads: int, folder: Path, clips: np.ndarray) -> tuple[Classify, int]:
        """See :meth:`Runtime.open`."""
        return in_torch(DeployableRecognizer(candidate.recognizer)), candidate.weight_bytes


class CompiledRuntime(Runtime):
    """``torch.compile``."""

    name = COMPILE

    def reason_against(self) -> str | None:
        """Compile something small: what Inductor needs (a C++ compiler, Python's headers) differs by machine."""
        try:
            with torch.inference_mode():
                torch.compile(torch.nn.Softplus(), dynamic=False)(torch.ones(8))
        except Exception as error:  # the compiler's own kinds of errors are not public
            reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            return f'torch.compile needs a C++ compiler ({reason.strip()})'
        return None

    def open(self, candidate: Candidate, threads: int, folder: Path, clips: np.ndarray) -> tuple[Classify, int]:
        """See :meth:`Runtime.open`."""
        model = torch.compile(DeployableRecognizer(candidate.recognizer), dynamic=False)
        return in_torch(model), candidate.weight_bytes


class ExportedRuntime(Runtime):
    """A registered backend, in one of its precisions.

    Args:
        backend: The backend.
        precision: The precision.
    """

    def __init__(self, backend: type[ExportedModel], precision: str) -> None:
        self.backend, self.precision = backend, precision
        self.name = runtime_name(backend.backend, precision)

    def reason_against(self) -> str | None:
        """See :meth:`Runtime.reason_against`."""
        return self.backend.reason_against(self.precision)

    def file(self, candidate: Candidate, folder: Path, clips: np.ndarray) -> ExportedFile:
        """See :meth:`Runtime.file`."""
        return ExportedFile(self.backend, candidate.exported(self.backend, folder, clips), self.precision)

    def open(self, candidate: Candidate, threads: int, folder: Path, clips: np.ndarray) -> tuple[Classify, int]:
        """See :meth:`Runtime.open`."""
        file = self.file(candidate, folder, clips)
        return file.open(threads, len(clips)), file.size


class QuantizedRuntime(ExportedRuntime):
    """A backend in int8, in a file that is calibrated here.

    Args:
        backend: Backend with an ``int8_maker``.
    """

    def __init__(self, backend: type[ExportedModel]) -> None:
        super().__init__(backend, 'int8')

    def file(self, candidate: Candidate, folder: Path, clips: np.ndarray) -> ExportedFile:
        """See :meth:`Runtime.file`."""
        return ExportedFile(self.backend, candidate.quantized(self.backend, folder, clips))


def all_runtimes() -> dict[str, Runtime]:
    """Return what any model can run in, by name: PyTorch, and each registered backend in each precision.

    Files in int8 are no export of a float model, so that int8 is none of them.
    """
    found: list[Runtime] = [EagerRuntime(), CompiledRuntime()]
    for backend in export_backends().values():
        found += [ExportedRuntime(backend, each) for each in backend.precisions if each != 'int8']
    return {each.name: each for each in found}


def int8_runtimes() -> dict[str, Runtime]:
    """Return the runtimes of files in int8 that are made from any model, by name."""
    found = [QuantizedRuntime(backend) for backend in int8_backends()]
    return {each.name: each for each in found}


def expect_runtimes(names: Sequence[str] | None) -> None:
    """See that there are such runtimes.

    Args:
        names: Their names; None for those that run here.

    Raises:
        ValueError: There is none of such a name.
    """
    known = all_runtimes()
    for name in names or ():
        if name not in known:
            raise WrongValueError(f'--runtimes: got {name!r}; expected one of {", ".join(known)}')


def choose_runtimes(asked: Sequence[str] | None) -> tuple[list[str], dict[str, str]]:
    """Return the names of the runtimes to measure, and why others are left out.

    Args:
        asked: Names; all of these are measured or the benchmark fails. None for all that this machine can run.

    Raises:
        ValueError: There is no such runtime.
        MissingExtraError: A runtime is not installed.
    """
    if asked is not None:
        expect_runtimes(asked)
        return list(asked), {}
    reasons = {name: reason_against(name) for name in all_runtimes()}
    left_out = {name: reason for name, reason in reasons.items() if reason is not None}
    return [name for name in reasons if name not in left_out], left_out


def reason_against(name: str) -> str | None:
    """Return why this machine cannot run a runtime; None where it can.

    Args:
        name: Name of one of :func:`runtimes`.

    Raises:
        MissingExtraError: It is not installed.
    """
    return all_runtimes()[name].reason_against()
