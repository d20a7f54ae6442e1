"""What an exported file says about itself."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from mmkd_video.export.deployable import LAYOUTS, DeployableRecognizer
from mmkd_video.export.input_rules import RGB, channel_order, sampling_rule
from mmkd_video.version import __version__

PREFIX = 'mmkd_video'
PRECISIONS = ('f32', 'bf16', 'int8')


@dataclass(frozen=True)
class ExportMetadata:
    """Everything that a program needs to use an exported file without its config.

    It is stored as ``mmkd_video.<field>`` in the ``metadata_props`` of ONNX and below ``mmkd_video`` in OpenVINO's
    ``rt_info``; each value is JSON.

    Args:
        classes: Names in the order of the probabilities; ``'0'``, ``'1'``, ... where there are none.
        layout: ``'NCHW'``: ``(N, M, C, H, W)`` with M = clips x frames; ``'NCTHW'``: ``(N, M, C, T, H, W)``.
        shape: Of one sample, without N.
        dtype: Of the input: ``'uint8'``, or ``'float32'`` where the pipeline gives such frames.
        frames: Frames of one clip.
        interval: Distance of its frames in the video; None where they are spread over the whole video.
        dynamic_clips: Whether M may differ from ``shape[0]``.
        batch: N that the file computes at once, fixed in it so that a runtime plans ahead; None where any number may
            come. OpenVINO's ``Model.reshape`` changes it; for ONNX Runtime, export again.
        channel_order: ``'RGB'``; None where the pipeline does not tell.
        sampling: Which pictures of a video the test took, in a sentence; None where it is not known.
        architecture: Types of recognizer, backbone and head.
        precision: ``'f32'``, ``'bf16'`` or ``'int8'``: what the file is meant to be run in.
        checkpoint_sha256: Of the checkpoint file; None where there was none.
        pipeline: The test pipeline that made the input, as in the config.
        version: Of mmkd_video.

    Raises:
        ValueError: A value is not possible.
    """

    classes: tuple[str, ...]
    layout: str
    shape: tuple[int, ...]
    dtype: str
    frames: int
    interval: int | None = None
    dynamic_clips: bool = False
    batch: int | None = None
    channel_order: str | None = None
    sampling: str | None = None
    architecture: str = ''
    precision: str = 'f32'
    checkpoint_sha256: str | None = None
    pipeline: tuple[dict, ...] = ()
    version: str = __version__

    def __post_init__(self) -> None:
        for name in ('classes', 'shape', 'pipeline'):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.layout not in LAYOUTS:
            raise ValueError(f'metadata: layout: got {self.layout!r}, expected one of {sorted(LAYOUTS)}')
        if len(self.shape) != LAYOUTS[self.layout] - 1:
            raise ValueError(f'metadata: shape {self.shape} does not go with layout {self.layout}')
        if self.precision not in PRECISIONS:
            raise ValueError(f'metadata: precision: got {self.precision!r}, expected one of {PRECISIONS}')
        if self.batch is not None and (type(self.batch) is not int or self.batch < 1):
            raise ValueError(f'metadata: batch: got {self.batch!r}, expected a number of at least 1, or None for any')
        if self.channel_order not in (None, RGB):
            raise ValueError(f'metadata: channel_order: got {self.channel_order!r}, expected {RGB!r} or None')

    @classmethod
    def describe(
        cls,
        model: DeployableRecognizer,
        clips: np.ndarray,
        classes: Sequence[str] | None = None,
        pipeline: Sequence[Mapping] = (),
        **more: Any,
    ) -> 'ExportMetadata':
        """Describe a model by its input.

        Args:
            model: What is exported.
            clips: ``(N, M, ...)``, as the pipeline gives them.
            classes: Names of the classes; numbers by default.
            pipeline: The test pipeline; the number and distance of frames is read from its sampler.
            more: Further fields.

        Raises:
            ValueError: The names are not as many as the model's classes, or the clips do not fit its layout.
        """
        if clips.ndim != LAYOUTS[model.layout]:
            raise ValueError(
                f'export: got clips {clips.shape}, expected {LAYOUTS[model.layout]} dimensions for the layout '
                f"{model.layout} of the model's data_preprocessor; see FormatShape in the test pipeline"
            )
        if classes is not None and len(classes) != model.num_classes:
            raise ValueError(
                f'export: got {len(classes)} class names, but the model scores {model.num_classes} classes; '
                'correct the list of classes, or num_classes of the head'
            )
        sampler = next((step for step in pipeline if 'clip_len' in step), {})
        length, count = sampler.get('clip_len', 1), sampler.get('num_clips', 1)
        if model.layout == 'NCHW':
            frames = min(length * (count if length == 1 else 1), clips.shape[1]) if sampler else clips.shape[1]
        else:
            frames = clips.shape[3]
        spread = length == 1 or 'Uniform' in str(sampler.get('type'))
        return cls(
            classes=tuple(classes if classes is not None else map(str, range(model.num_classes))),
            layout=model.layout,
            shape=clips.shape[1:],
            dtype='uint8' if clips.dtype == np.uint8 else 'float32',
            frames=frames,
            interval=None if spread else sampler.get('frame_interval', 1),
            channel_order=channel_order(pipeline, clips.shape[2]),
            sampling=sampling_rule(pipeline),
            architecture=model.architecture,
            pipeline=tuple(json.loads(json.dumps([dict(step) for step in pipeline], default=str))),
            **more,
        )

    def to_strings(self) -> dict[str, str]:
        """Return the fields as JSON by name."""
        return {name: json.dumps(value) for name, value in asdict(self).items()}

    @classmethod
    def from_strings(cls, strings: Mapping[str, str], path: object) -> 'ExportMetadata':
        """Read what :meth:`to_strings` wrote.

        Args:
            strings: JSON by field; names that are not known are left out.
            path: Of the file, for the message.

        Raises:
            ValueError: The file does not come from here.
        """
        known = {field.name for field in fields(cls)}
        found = {name: json.loads(text) for name, text in strings.items() if name in known}
        if not {'classes', 'layout', 'shape', 'dtype', 'frames'} <= set(found):
            raise ValueError(
                f'{path} holds no metadata of mmkd_video, so its input is not known; expected a file that '
                'tools/export.py or tools/quantize.py wrote'
            )
        return cls(**found)

    def expect_model(self, architecture: str, num_classes: int, path: object) -> None:
        """Check that a file belongs to a model.

        Args:
            architecture: As :attr:`DeployableRecognizer.architecture`.
            num_classes: Of the model.
            path: Of the file, for the message.

        Raises:
            ValueError: It belongs to another one.
        """
        if len(self.classes) != num_classes:
            raise ValueError(
                f'{path} scores {len(self.classes)} classes, the config {num_classes}; they do not belong together'
            )
        if self.architecture and self.architecture != architecture:
            raise ValueError(
                f'{path} was exported from {self.architecture}, the config builds {architecture}; they do not belong '
                'together: give the config that the file was exported with'
            )
