"""What an exported file says about itself."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mmkd_video.core.checked import checked, kinds
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.plain_data import FLAG, Anything, Many, Maybe, OneOf, Record, Rule, Text, Whole, read_json
from mmkd_video.core.version import __version__
from mmkd_video.export.deployable import LAYOUTS, DeployableRecognizer
from mmkd_video.export.input_rules import RGB, channel_order, sampling_rule

PREFIX = 'mmkd_video'
PRECISIONS = ('f32', 'bf16', 'int8')
DTYPES = ('uint8', 'float32')
MAX_BYTES = 2**31  # of a sample
MAX_WINDOW_BYTES = 2**33  # of all pictures from the first frame of a clip to its last
STATE_BYTES = 4  # of a number of a state, which is in float32
MAX_TEXT = 1 << 24  # characters of all fields


class _Steps:
    """A pipeline as plain data; what of it is built, and how, is for whoever builds it to check."""

    def check(self, value: Any, where: str) -> None:
        Many(Anything(items=1000, depth=8), most=64).check(value, where)
        for index, step in enumerate(value):
            Text(300).check(step.get('type') if isinstance(step, dict) else None, f'{where}[{index}].type')
            for name, rule in _SAMPLING.items():
                if name in step:
                    rule.check(step[name], f'{where}[{index}].{name}')


_SAMPLING: dict[str, Rule] = {'target_fps': Maybe(Whole(1, 1000)), 'out_of_bound_opt': OneOf(('loop', 'repeat_last'))}
RULES: dict[str, Rule] = {
    'classes': Many(Text(1000), most=100_000, fewest=1),
    'layout': OneOf(tuple(LAYOUTS)),
    'shape': Many(Whole(1, 2**20), most=5, fewest=4),
    'dtype': OneOf(DTYPES),
    'frames': Whole(1, 2**20),
    'interval': Maybe(Whole(1, 100_000)),
    'dynamic_clips': FLAG,
    'batch': Maybe(Whole(1, 2**16)),
    'channel_order': Maybe(OneOf((RGB,))),
    'sampling': Maybe(Text(2000)),
    'architecture': Text(1000),
    'precision': OneOf(PRECISIONS),
    'checkpoint_sha256': Maybe(Text(64, '[0-9a-f]*')),
    'pipeline': _Steps(),
    'version': Text(100),
    'several_labels': FLAG,
    'states': Many(
        Record(dict(name=Text(200, '[A-Za-z0-9_.]+'), shape=Many(Whole(1, 2**20), most=6, fewest=1))), most=1000
    ),
}
"""What a file may say, by field."""


@checked(
    layout=kinds.OneOf(*LAYOUTS),
    dtype=kinds.OneOf(*DTYPES),
    frames=kinds.Whole(1),
    interval=kinds.Optional(kinds.Whole(1), 'spread over the video'),
    batch=kinds.Optional(kinds.Whole(1), 'any'),
    channel_order=kinds.Optional(kinds.OneOf(RGB), 'not told'),
    architecture=kinds.AnyOf(kinds.Text(), kinds.OneOf('')),
    precision=kinds.OneOf(*PRECISIONS),
)
@dataclass(frozen=True)
class ExportMetadata:
    """Everything that a program needs to use an exported file without its config.

    It is stored as ``mmkd_video.<field>`` in the ``metadata_props`` of ONNX and below ``mmkd_video`` in OpenVINO's
    ``rt_info``; each value is JSON.

    Args:
        classes: Names in the order of the probabilities; ``'0'``, ``'1'``, ... where there are none.
        layout: ``'NCHW'``: ``(N, M, C, H, W)`` with M = clips x frames; ``'NCTHW'``: ``(N, M, C, T, H, W)``.
        shape: Shape of one sample, without N.
        dtype: Type of the input: ``'uint8'``, or ``'float32'`` where the pipeline gives such frames.
        frames: Frames of one clip.
        interval: Distance of its frames in the video; None where they are spread over the whole video.
        dynamic_clips: Whether M may differ from ``shape[0]``.
        batch: N that the file computes at once, fixed in it so that a runtime plans ahead; None where any number may
            come. OpenVINO's ``Model.reshape`` changes it; for ONNX Runtime, export again.
        channel_order: ``'RGB'``; None where the pipeline does not tell.
        sampling: Sentence that says which pictures of a video the test took; None where it is not known.
        architecture: Types of recognizer, backbone and head.
        precision: ``'f32'``, ``'bf16'`` or ``'int8'``: what the file is meant to be run in.
        checkpoint_sha256: SHA-256 of the checkpoint file; None where there was none.
        pipeline: The test pipeline that made the input, as in the config.
        version: Version of mmkd_video.
        states: Names and shapes of all that the file keeps from frame to frame, ``dict(name=..., shape=...)`` each: the
            shape without N, in float32, zeros before the first frame. A file that has some takes one frame
            ``(N, C, H, W)`` at a time, and ``shape`` is that of a whole clip.
        several_labels: Whether the probabilities are those of each class by itself, which do not sum to 1.

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
    states: tuple[dict, ...] = ()
    several_labels: bool = False

    def __post_init__(self) -> None:
        for name in ('classes', 'shape', 'pipeline', 'states'):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len(self.shape) != LAYOUTS[self.layout] - 1:
            raise WrongValueError(f'metadata: shape {self.shape} does not go with layout {self.layout}')

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
            model: Model that is exported.
            clips: ``(N, M, ...)``, as the pipeline gives them.
            classes: Names of the classes; numbers by default.
            pipeline: The test pipeline; the number and distance of frames is read from its sampler.
            more: Further fields.

        Raises:
            ValueError: The names are not as many as the model's classes, or the clips do not fit its layout.
        """
        if clips.ndim != LAYOUTS[model.layout]:
            raise WrongValueError(
                f'export: got clips {clips.shape}, expected {LAYOUTS[model.layout]} dimensions for the layout '
                f"{model.layout} of the model's data_preprocessor; see FormatShape in the test pipeline"
            )
        if classes is not None and len(classes) != model.num_classes:
            raise WrongValueError(
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
            several_labels=model.several_labels,
            pipeline=tuple(json.loads(json.dumps([dict(step) for step in pipeline], default=_as_text))),
            **more,
        )

    @property
    def streams(self) -> bool:
        """Whether the file takes one frame at a time, with states."""
        return bool(self.states)

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a frame."""
        return (self.shape[1], *self.shape[-2:])

    def to_strings(self) -> dict[str, str]:
        """Return the fields as JSON by name."""
        return {name: json.dumps(value) for name, value in asdict(self).items()}

    @classmethod
    def from_strings(cls, strings: Mapping[str, str], path: object) -> 'ExportMetadata':
        """Read what :meth:`to_strings` wrote.

        Args:
            strings: JSON texts by field; names that are not known are left out.
            path: Path of the file, for the message.

        Raises:
            ValueError: The file does not come from here, or says what cannot be.
        """
        texts = {name: text for name, text in strings.items() if name in RULES}
        if sum(map(len, texts.values())) > MAX_TEXT:
            raise WrongValueError(f'{path}: its metadata are longer than {MAX_TEXT} characters; expected less')
        found = {name: read_json(text, RULES[name], f'{path}: metadata: {name}') for name, text in texts.items()}
        if not {'classes', 'layout', 'shape', 'dtype', 'frames'} <= set(found):
            raise WrongValueError(
                f'{path} holds no metadata of mmkd_video, so its input is not known; expected a file that '
                'tools/export.py or tools/quantize.py wrote'
            )
        try:
            metadata = cls(**found)
        except ValueError as error:
            raise WrongValueError(f'{path}: {error}') from None
        metadata._expect_possible(path)
        return metadata

    def _expect_possible(self, path: object) -> None:
        """Check fields against each other, before anything of their size is made."""
        of_picture = math.prod(self.shape[-2:]) * np.dtype(self.dtype).itemsize
        if math.prod(self.shape) * np.dtype(self.dtype).itemsize > MAX_BYTES:
            raise WrongValueError(
                f'{path}: metadata: shape: got {self.shape}, expected at most {MAX_BYTES} bytes a sample'
            )
        axis = 0 if self.layout == 'NCHW' else 2
        if self.frames > self.shape[axis] or (axis and self.frames != self.shape[axis]):
            raise WrongValueError(
                f'{path}: metadata: frames: got {self.frames}, expected {"at most " if not axis else ""}the '
                f'{self.shape[axis]} of the shape {self.shape}'
            )
        if 3 * of_picture * self.frames * (self.interval or 1) > MAX_WINDOW_BYTES:
            raise WrongValueError(
                f'{path}: metadata: interval: got {self.interval}; {self.frames} frames so far apart are more than '
                f'{MAX_WINDOW_BYTES} bytes of pictures; expected less'
            )

        self._expect_possible_states(path)

    def _expect_possible_states(self, path: object) -> None:
        if not self.states:
            return
        names, where = [each['name'] for each in self.states], f'{path}: metadata: states'
        if len(set(names)) < len(names):
            raise WrongValueError(f'{where}: got a name twice; expected each once')
        if sum(math.prod(each['shape']) for each in self.states) * STATE_BYTES > MAX_BYTES:
            raise WrongValueError(f'{where}: got more than {MAX_BYTES} bytes; expected less')
        clips = self.shape[0] // self.frames if self.layout == 'NCHW' else self.shape[0]
        if clips != 1 or self.dynamic_clips or self.batch != 1:
            raise WrongValueError(
                f'{where}: got them with shape {self.shape} of {self.frames} frames, batch {self.batch} and '
                f'dynamic_clips {self.dynamic_clips}; expected one clip at once'
            )

    def expect_model(self, architecture: str, num_classes: int, path: object) -> None:
        """Check that a file belongs to a model.

        Args:
            architecture: Name such as :attr:`DeployableRecognizer.architecture`.
            num_classes: Number of classes of the model.
            path: Path of the file, for the message.

        Raises:
            ValueError: It belongs to another one.
        """
        if len(self.classes) != num_classes:
            raise WrongValueError(
                f'{path} scores {len(self.classes)} classes, the config {num_classes}; they do not belong together'
            )
        if self.architecture and self.architecture != architecture:
            raise WrongValueError(
                f'{path} was exported from {self.architecture}, the config builds {architecture}; they do not belong '
                'together: give the config that the file was exported with'
            )


def _as_text(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else str(value)  # a config may name a transform by its class
