"""Where an ordinary pipeline decodes, and where it begins to pack."""

from collections.abc import Mapping, Sequence

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.pipelines import type_name

_MULTI_CROPS = ('ThreeCrop', 'TenCrop')


def split_pipeline(owner: str, whose: str, pipeline: Sequence[Mapping]) -> tuple[int, int]:
    """Find the places of the decoder and of the first formatting transform in a pipeline that views follow.

    Args:
        owner: Name of the transform that runs the pipeline, for messages.
        whose: Name of the pipeline in messages.
        pipeline: Configs of its transforms.

    Raises:
        ValueError: It has no decoder or no ``FormatShape``, or a transform that no view can follow.
    """
    names = [type_name(step) for step in pipeline]
    decode = next((place for place, kind in enumerate(names) if 'Decode' in kind), None)
    shape = next((place for place, kind in enumerate(names) if kind == 'FormatShape'), None)
    if decode is None or shape is None or shape < decode:
        raise WrongValueError(
            f'{owner}: {whose} is {names}; expected an ordinary pipeline with a decoder '
            '(DecordDecode, OpenCVDecode, RawFrameDecode, ...) and a FormatShape after it'
        )
    crops = [kind for kind in names if kind in _MULTI_CROPS]
    if crops:
        raise WrongValueError(
            f'{owner}: {crops[0]} in {whose} makes several crops of a clip, which views cannot follow; '
            'expected one crop, such as RandomResizedCrop or CenterCrop'
        )
    if 'ImgAug' in names:
        raise WrongValueError(
            f'{owner}: ImgAug draws from a generator of its own, so the views could not follow it; '
            'use ColorJitter, PytorchVideoWrapper or TorchVisionWrapper instead'
        )
    return decode, shape
