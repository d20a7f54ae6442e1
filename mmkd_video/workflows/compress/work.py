"""The state of a compression: what it has made so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.config import Config

from mmkd_video.workflows.deploy.student import StudentCheckpoint

Model = tuple[str, str, str]
"""Name, path of the config, path of the checkpoint."""


@dataclass
class CompressionWork:
    """The models that there are after each stage.

    Args:
        config: The distillation.
        settings: Its block ``compress``.
        work_dir: Folder of everything that is made.
        force: Whether stages after training are done again that were done with other settings.
        models: Every model so far, the teacher first.
    """

    config: Config
    settings: Mapping
    work_dir: Path
    force: bool = False
    models: list[Model] = field(default_factory=list)
    _in_int8: dict[tuple[str, int], bool] = field(default_factory=dict, repr=False)

    @property
    def final(self) -> Model:
        """The model that is shipped."""
        return self.models[-1]

    def final_is_in_int8(self) -> bool:
        """Return whether the shipped model was trained in int8; False before it is there."""
        checkpoint = Path(self.final[2])
        return checkpoint.is_file() and self.is_in_int8(checkpoint)

    def is_in_int8(self, checkpoint: str | Path) -> bool:
        """Return whether a student was trained in int8; its checkpoint is read once.

        Args:
            checkpoint: The student's checkpoint.

        Raises:
            FileNotFoundError: There is no such checkpoint.
            ValueError: It cannot be read.
        """
        key = (str(checkpoint), Path(checkpoint).stat().st_mtime_ns if Path(checkpoint).is_file() else 0)
        if key not in self._in_int8:
            self._in_int8[key] = StudentCheckpoint.read(checkpoint).quantization is not None
        return self._in_int8[key]
