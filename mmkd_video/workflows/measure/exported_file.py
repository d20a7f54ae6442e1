"""An exported file as a benchmark runs it."""

from dataclasses import dataclass
from pathlib import Path

from mmkd_video.export import ExportedModel


def runtime_name(backend: str, precision: str) -> str:
    """Return the name of a backend and a precision in the table; float32 goes without saying.

    Args:
        backend: Name of the backend.
        precision: Precision that it computes in.
    """
    return backend if precision == 'f32' else f'{backend} {precision}'


@dataclass(frozen=True)
class ExportedFile:
    """A file and what runs it.

    In another process its class is found by reference, so that a user's backend is registered there too.

    Args:
        backend: Backend that opens it.
        path: Path of the file.
        precision: Precision to compute in; what the file says by default.
    """

    backend: type[ExportedModel]
    path: Path
    precision: str | None = None

    def open(self, threads: int, batch: int) -> ExportedModel:
        """Open the file for batches of one size.

        Args:
            threads: Number of CPU threads.
            batch: Number of clips in a batch.
        """
        return self.backend(self.path, threads=threads, precision=self.precision, batch=batch)

    @property
    def size(self) -> int:
        """Bytes of the file, with those that belong to it."""
        return sum(each.stat().st_size for each in self.backend.files(self.path) if each.exists())
