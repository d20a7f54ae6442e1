"""All models of a deployment benchmark, and what runs each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mmkd_video.export import load_exported
from mmkd_video.workflows.measure.deploy_candidates import EXPORTED, INT8, Candidate, Classify, file_size

FOLDER = Path('work_dirs/benchmark/deploy')

Line = tuple[str, str]
"""A model and what runs it: the two names that a line of the table begins with."""


@dataclass(frozen=True)
class MeasuredModels:
    """What is measured.

    Args:
        candidates: Models by name.
        files: Model whose clips it takes, and path, of each given file by name.
        runtimes: Names of the runtimes in which every model runs.
        int8: Names of the models that run in int8 too, each in a file that is made for it.
        folder: Folder of exported files.
    """

    candidates: Mapping[str, Candidate]
    files: Mapping[str, tuple[str, Path]]
    runtimes: Sequence[str]
    int8: Sequence[str] = ()
    folder: Path = field(default_factory=lambda: FOLDER)

    @property
    def sources(self) -> dict[str, str]:
        """The model whose clips each model and each file takes."""
        return {name: name for name in self.candidates} | {name: of for name, (of, _) in self.files.items()}

    def runtimes_of(self, name: str) -> list[str]:
        """Return the names of the runtimes in which a model runs."""
        return [*self.runtimes, *([INT8] if name in self.int8 else [])]

    def open(self, threads: int, clips: Mapping[str, np.ndarray]) -> dict[Line, tuple[Classify, int]]:
        """Open everything for batches of one size; return what classifies, and the bytes of its file, by line."""
        opened: dict[Line, tuple[Classify, int]] = {}
        for name, candidate in self.candidates.items():
            for runtime in self.runtimes_of(name):
                opened[name, runtime] = candidate.open(runtime, threads, self.folder, clips[name])
        for name, (of, path) in self.files.items():
            model = load_exported(path, threads=threads, batch=len(clips[of]))
            opened[name, f'{model.backend} {model.precision}'.replace(' f32', '')] = model, file_size(path)
        return opened

    def unloaded(self) -> 'MeasuredModels':
        """Return the same without weights that are loaded already, for another process."""
        return replace(self, candidates={name: replace(each) for name, each in self.candidates.items()})

    def file_of(self, line: Line, clips: np.ndarray) -> Path | None:
        """Return the file that a line runs; None for those that run in PyTorch."""
        name, runtime = line
        if name in self.files:
            return self.files[name][1]
        if runtime == INT8:
            return self.candidates[name].quantized(self.folder, clips)
        return self.candidates[name].exported(EXPORTED[runtime][0], self.folder, clips) if runtime in EXPORTED else None
