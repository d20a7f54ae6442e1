"""All models of a deployment benchmark, and what runs each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mmkd_video.export import ExportedModel
from mmkd_video.workflows.measure.deploy_candidates import Candidate, Classify
from mmkd_video.workflows.measure.deploy_runtimes import Runtime, int8_runtimes
from mmkd_video.workflows.measure.exported_file import ExportedFile, runtime_name

FOLDER = Path('work_dirs/benchmark/deploy')

Line = tuple[str, str]
"""A model and what runs it: the two names that a line of the table begins with."""


@dataclass(frozen=True)
class MeasuredModels:
    """What is measured.

    Args:
        candidates: Models by name.
        files: Name of the model whose clips it takes, and each given file, by its name.
        runtimes: Runtimes in which every model runs.
        int8: Names of the models that run in int8 too, each in a file that is made for it.
        folder: Folder of exported files.
    """

    candidates: Mapping[str, Candidate]
    files: Mapping[str, tuple[str, ExportedFile]]
    runtimes: Sequence[Runtime]
    int8: Sequence[str] = ()
    folder: Path = field(default_factory=lambda: FOLDER)

    @property
    def sources(self) -> dict[str, str]:
        """The model whose clips each model and each file takes."""
        return {name: name for name in self.candidates} | {name: of for name, (of, _) in self.files.items()}

    @property
    def backends(self) -> list[type[ExportedModel]]:
        """The backends of all files that are run, each once."""
        used = [*(each.backend for each in self.runtimes), *(file.backend for _, file in self.files.values())]
        used += [each.backend for each in int8_runtimes().values()] if self.int8 else []
        return [each for each in dict.fromkeys(used) if each is not None]

    def runtimes_of(self, name: str) -> dict[str, Runtime]:
        """Return the runtimes in which a model runs, by name."""
        found = {each.name: each for each in self.runtimes}
        return found | (int8_runtimes() if name in self.int8 else {})

    def open(self, threads: int, clips: Mapping[str, np.ndarray]) -> dict[Line, tuple[Classify, int]]:
        """Open everything for batches of one size; return what classifies, and the bytes of its file, by line."""
        opened: dict[Line, tuple[Classify, int]] = {}
        for name, candidate in self.candidates.items():
            for runtime in self.runtimes_of(name).values():
                opened[name, runtime.name] = runtime.open(candidate, threads, self.folder, clips[name])
        for name, (of, file) in self.files.items():
            model = file.open(threads, len(clips[of]))
            opened[name, runtime_name(model.backend, model.precision)] = model, file.size
        return opened

    def unloaded(self) -> 'MeasuredModels':
        """Return the same without weights that are loaded already, for another process."""
        return replace(self, candidates={name: replace(each) for name, each in self.candidates.items()})

    def file_of(self, line: Line, clips: np.ndarray) -> ExportedFile | None:
        """Return the file that a line runs; None for those that run in PyTorch."""
        name, runtime = line
        if name in self.files:
            return self.files[name][1]
        return self.runtimes_of(name)[runtime].file(self.candidates[name], self.folder, clips)
