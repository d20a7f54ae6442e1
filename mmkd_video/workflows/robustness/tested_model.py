"""A checkpoint or an exported file on the test clips of its config, which may be changed before it sees them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from mmkd_video.core.files.digest import sha256_of
from mmkd_video.core.mistakes import MissingFileError, WrongValueError, as_settings_errors
from mmkd_video.core.registry import DATASETS
from mmkd_video.core.restoring import random_state_restored, seed_everything
from mmkd_video.datasets.label_check import expect_known_classes
from mmkd_video.evaluation.teacher_predictions import describe, with_pipeline
from mmkd_video.export import DeployableRecognizer, ExportedModel, backend_of_file, load_exported
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.config_keys import check_config
from mmkd_video.recognizers.pipelines import pipeline_of_loader, reads_frames, type_name
from mmkd_video.recognizers.plain_student import plain_student
from mmkd_video.workflows.deploy.student import StudentCheckpoint, model_parts
from mmkd_video.workflows.train.testing import is_here


class TestedModel:
    """A model and its labelled test clips.

    Both kinds of files are given the clips as the pipeline packs them, 0 to 255: what an exported file takes.

    Args:
        name: Name in tables.
        config: Path of its config, plain or of its distillation.
        checkpoint: Path or URL of its checkpoint, or path of an exported file.
        options: Settings that replace those of the config, by dotted key.
        clips: Number of test clips, spread evenly over the set; None or 0 for all.
        batch_size: Number of clips at once; the test's by default.
        workers: Number of processes that load clips; the test's by default.

    Raises:
        SettingsError: The config is wrong.
        FileNotFoundError: There is no such config or file.
        ValueError: The file does not belong to the config, or the config tests no RGB frames with single labels.
    """

    __test__ = False  # for pytest, which takes the name for that of a test

    def __init__(
        self,
        name: str,
        config: str,
        checkpoint: str,
        options: Mapping[str, Any] | None = None,
        clips: int | None = None,
        batch_size: int | None = None,
        workers: int | None = None,
    ) -> None:
        self.name, self.checkpoint = name, str(checkpoint)
        if not is_here(self.checkpoint):
            raise MissingFileError(f'checkpoint {self.checkpoint!r} does not exist')
        with as_settings_errors():
            self.config = read_config(config, options)
            check_config(self.config)
            plain = plain_student(self.config)
            loader = plain.get('test_dataloader') or {}
            self.pipeline = pipeline_of_loader(loader) or []
            self._decoder = _place_of_decoder(self.pipeline, config)
            self.model = self._open(plain)
            with DefaultScope.overwrite_default_scope(plain.get('default_scope') or 'mmaction'):
                self._dataset = DATASETS.build(loader['dataset'])
            if isinstance(self.model, DeployableRecognizer):
                expect_known_classes(self._dataset, self.model.recognizer)
        names, labels = describe(self._dataset)
        known = np.flatnonzero(labels >= 0)
        if not len(known):
            raise WrongValueError(f'{config}: test_dataloader: got no clip with one label; expected some')
        count = min(clips or len(known), len(known))
        self.places = known[np.arange(count) * len(known) // count]
        self.names, self.labels = [Path(names[place]).name for place in self.places], labels[self.places]
        self.batch_size = batch_size or loader.get('batch_size') or 1
        self.workers = loader.get('num_workers', 0) if workers is None else workers

    @property
    def exported(self) -> bool:
        """Whether it is an exported file, which has no gradients."""
        return isinstance(self.model, ExportedModel)

    @property
    def layout(self) -> str:
        """Layout of its clips, ``'NCHW'`` or ``'NCTHW'``."""
        return self.model.metadata.layout if self.exported else self.model.layout

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.model.metadata.classes) if self.exported else self.model.num_classes

    @property
    def told(self) -> list:
        """What its answers depend on, for comparison with another time."""
        digest = sha256_of(self.checkpoint) if Path(self.checkpoint).is_file() else self.checkpoint
        return [digest, self.pipeline, self.names, self.labels.tolist()]

    def batches(self, corruption: Mapping | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield clips ``(N, M, ...)`` of 0 to 255 and their labels ``(N,)``.

        Args:
            corruption: Transform that stands behind the decoder; None for clean clips.
        """
        pipeline = list(self.pipeline)
        if corruption is not None:
            pipeline.insert(self._decoder + 1, dict(corruption))
        yield from (
            (torch.stack(list(batch['inputs'])), torch.cat([each.gt_label for each in batch['data_samples']]))
            for batch in self.load(pipeline)
        )

    def load(self, pipeline: list[dict]) -> Iterator[dict]:
        """Yield its test clips through any pipeline, in batches as a data loader collates them."""
        with DefaultScope.overwrite_default_scope('mmaction'):
            dataset = with_pipeline(self._dataset, pipeline)
        loader = DataLoader(
            Subset(dataset, self.places.tolist()),
            self.batch_size,
            num_workers=self.workers,
            collate_fn=pseudo_collate,
        )
        with random_state_restored():
            seed_everything(0)  # where a test pipeline draws, it draws the same each time
            yield from loader

    def classify(self, clips: Tensor) -> np.ndarray:
        """Return probabilities ``(N, K)``.

        Args:
            clips: ``(N, M, ...)`` of 0 to 255. An exported file that takes whole numbers gets rounded ones.
        """
        if not self.exported:
            with torch.inference_mode():
                return self.model(clips.to(get_device())).cpu().numpy()
        wanted = np.dtype(self.model.metadata.dtype)
        found = clips.cpu().numpy()
        if found.dtype != wanted:
            found = (np.rint(found) if np.issubdtype(wanted, np.integer) else found).astype(wanted)
        return self.model(found)

    def _open(self, plain: Any) -> DeployableRecognizer | ExportedModel:
        if backend_of_file(self.checkpoint) is None:
            return DeployableRecognizer(StudentCheckpoint.read(self.checkpoint).build(self.config)).to(get_device())
        exported = load_exported(self.checkpoint)
        architecture, classes = model_parts(plain.model)
        known = exported.metadata
        known.expect_model(architecture or known.architecture, classes or len(known.classes), self.checkpoint)
        return exported


def _place_of_decoder(pipeline: list[dict], config: str) -> int:
    names = [type_name(step) for step in pipeline]
    place = next((place for place, name in enumerate(names) if 'Decode' in name), None)
    if place is None or not reads_frames(pipeline):
        raise WrongValueError(
            f'{config}: test_dataloader.dataset.pipeline: got {names or "none"}; expected a decoder of RGB frames '
            '(DecordDecode, OpenCVDecode, RawFrameDecode, ...), behind which clips can be changed'
        )
    return place
