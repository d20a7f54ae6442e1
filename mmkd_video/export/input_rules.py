"""How a video becomes the input of an exported file, in words that need no MMAction2."""

from collections.abc import Mapping, Sequence

RGB = 'RGB'
DECODERS = ('DecordDecode', 'OpenCVDecode', 'PyAVDecode', 'PIMSDecode', 'RawFrameDecode', 'ImageDecode')  # all give RGB


def channel_order(pipeline: Sequence[Mapping], channels: int) -> str | None:
    """Return the order of the colours in which a pipeline leaves frames; None where it is not known.

    Args:
        pipeline: Pipeline of the test.
        channels: Number of channels of a frame.
    """
    decoded = any(_kind(step) in DECODERS for step in pipeline)
    return RGB if decoded and channels == 3 else None


def sampling_rule(pipeline: Sequence[Mapping]) -> str | None:
    """Return which pictures of a video a test pipeline takes.

    Args:
        pipeline: Pipeline of the test.

    Returns:
        A sentence that ends in ``: `` and a formula, in Python's arithmetic, of the number ``n`` of pictures, the clip
        ``k`` and the frame ``j``; where there is none that short, a sentence without a formula. None where nothing is
        sampled.
    """
    sampler = next((step for step in pipeline if 'clip_len' in step), None)
    if sampler is None:
        return None
    kind, length, clips = _kind(sampler), sampler['clip_len'], sampler.get('num_clips', 1)
    formula = None
    if sampler.get('test_mode') and kind == 'UniformSample':
        formula = f'round((n - 1) / {length} * j) + int((n - 1) / {length} / {clips + 1} * (k + 1))'
    elif sampler.get('test_mode') and kind == 'SampleFrames' and not _has_rare_arguments(sampler):
        formula = _consecutive(length, sampler.get('frame_interval', 1), clips) if length > 1 else _spread(clips)
    if formula is None:
        return f'as {kind} of MMAction2 takes them, with the arguments in the pipeline'
    return (
        f'frame j of {length} in clip k of {clips}, all counted from 0, is this picture of a video of n pictures: '
        f'{formula}'
    )


def _has_rare_arguments(sampler: Mapping) -> bool:
    """Return whether an argument is given that changes the formula and hardly any config has."""
    return bool(
        any(sampler.get(key) for key in ('twice_sample', 'target_fps', 'temporal_jitter'))
        or sampler.get('out_of_bound_opt', 'loop') != 'loop'
    )


def _consecutive(length: int, interval: int, clips: int) -> str:
    room = f'max(n - {(length - 1) * interval + 1}, 0)'
    start = f'{room} // 2' if clips == 1 else f'round(k * ({room} / {clips - 1}))'
    return f'({start} + {interval} * j) % n'


def _spread(clips: int) -> str:
    return f'int(k * (n / {clips}) + n / {clips} / 2)'


def _kind(step: Mapping) -> str:
    return str(step.get('type', '')).rpartition('.')[2]
