"""What a teacher needs of a sample: its frames, its size and its layout, read from its pipeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import TRANSFORMS
from mmkd_video.recognizers.pipelines import type_name

MULTI_VIEW = 'MultiView'  # a transform that runs a pipeline and makes several views of its frames
SAMPLERS = ('SampleFrames', 'DenseSampleFrames', 'UniformSample')


@dataclass(frozen=True)
class ViewSpec:
    """One teacher's view of a sample; everything random in it is taken from the student.

    Attributes:
        name: Key of the view in the batch's ``views``.
        clip_len: Frames of one clip.
        num_clips: Clips of one sample.
        frame_interval: Distance of neighbouring frames, in frames of the video (of ``target_fps`` if that is given).
        stretch: Whether the frames are spread over the student's span whatever the interval (samplers by segment).
        target_fps: Frame rate in which ``frame_interval`` counts, or None for the video's own.
        size: ``(width, height)`` in pixels, or None to keep the size of the crop in the video.
        interpolation: Name of the interpolation, as mmcv spells it.
        format_shape: Config of the teacher's ``FormatShape``.
        derived: Configs of the transforms that derive another modality from its frames, in order.
        views: Settings of the several views that it is made of, by name; None where it is one.
    """

    name: str
    clip_len: int
    num_clips: int
    frame_interval: int
    stretch: bool
    target_fps: float | None
    size: tuple[int, int] | None
    interpolation: str
    format_shape: dict
    derived: tuple[dict, ...] = ()
    views: Mapping[str, Mapping] | None = None

    @classmethod
    def from_pipeline(cls, name: str, pipeline: Sequence[Mapping]) -> 'ViewSpec':
        """Read the view from a teacher's pipeline.

        Args:
            name: Key of the view.
            pipeline: The teacher's pipeline, as configs of its transforms.

        Raises:
            ValueError: If the pipeline has no sampler with a ``clip_len`` or no ``FormatShape``, or derives a modality
                before it is done with crops, sizes and flips.
        """
        first = pipeline[0]
        if type_name(first) == MULTI_VIEW:
            return replace(cls.from_pipeline(name, first['pipeline']), views=first['views'])
        sampler = next((step for step in pipeline if 'clip_len' in step), None)
        if sampler is None:
            raise WrongValueError(
                f'teacher pipeline of view {name!r}: no transform has a `clip_len`, got {_types(pipeline)}; expected a '
                f'sampler of frames such as {", ".join(SAMPLERS)}'
            )
        format_shape = next((dict(step) for step in pipeline if type_name(step) == 'FormatShape'), None)
        if format_shape is None:
            raise WrongValueError(
                f'teacher pipeline of view {name!r}: no FormatShape, got {_types(pipeline)}; the layout of the view '
                "is read from it: add dict(type='FormatShape', input_format='NCTHW') or 'NCHW'"
            )
        resize = [step for step in pipeline if type_name(step) == 'Resize']
        return cls(
            name=name,
            size=_final_size(pipeline),
            interpolation=resize[-1].get('interpolation', 'bilinear') if resize else 'bilinear',
            format_shape=format_shape,
            derived=_derived(name, pipeline),
            **_frames(sampler),
        )

    @property
    def num_frames(self) -> int:
        """Frames of one sample, all clips together."""
        return self.clip_len * self.num_clips


def _types(pipeline: Sequence) -> list[str]:
    return [type_name(step) for step in pipeline]


def _frames(sampler: Mapping) -> dict:
    """Frames a sampler takes: ``clip_len``, ``num_clips``, ``frame_interval``, ``stretch`` and ``target_fps``."""
    kind = type_name(sampler)
    clip_len, num_clips = sampler['clip_len'], sampler.get('num_clips', 1)
    interval, stretch = sampler.get('frame_interval', 1), False
    if kind == 'DenseSampleFrames' and clip_len == 1:
        # Segments of a window of fixed length: frames at a fixed interval.
        interval = sampler.get('sample_range', 64) // num_clips
    elif clip_len == 1 or kind not in ('SampleFrames', 'DenseSampleFrames'):
        stretch = True
    elif sampler.get('test_mode', False):
        num_clips = 1  # several clips are for testing; a student's sample is one view of one moment
    return dict(
        clip_len=clip_len,
        num_clips=num_clips,
        frame_interval=interval,
        stretch=stretch,
        target_fps=sampler.get('target_fps'),
    )


def _derived(name: str, pipeline: Sequence[Mapping]) -> tuple[dict, ...]:
    """Return the steps that derive a modality; they have to be the last before ``FormatShape``."""
    kinds = [TRANSFORMS.get(step['type']) if isinstance(step['type'], str) else step['type'] for step in pipeline]
    places = [place for place, kind in enumerate(kinds) if getattr(kind, 'derives_modality', False)]
    shape = _types(pipeline).index('FormatShape')
    if places != list(range(shape - len(places), shape)):
        raise WrongValueError(
            f'teacher pipeline of view {name!r}: got {_types(pipeline)}; expected {_types(pipeline)[places[0]]} '
            'directly before FormatShape, after all crops, sizes and flips'
        )
    return tuple(dict(pipeline[place]) for place in places)


def _final_size(pipeline: Sequence[Mapping]) -> tuple[int, int] | None:
    """Width and height in pixels that the last transform of fixed size leaves, or None."""
    for step in reversed(pipeline):
        kind = type_name(step)
        if kind == 'RandomResizedCrop':
            return None
        if kind == 'Resize' and not step.get('keep_ratio', True):
            return _pair(step['scale'])
        for key in ('size', 'crop_size', 'input_size'):
            if kind.endswith('Crop') and key in step:
                return _pair(step[key])
    return None


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
