"""How fast the installed decoders read the clips that a training reads, and whether their frames are the same."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmaction.registry import DATASETS, TRANSFORMS
from mmengine.registry import DefaultScope

from mmkd_video.benchmark import LoadWatch, Report, Row, measure_interleaved, median_interval, paired_ratios
from mmkd_video.benchmark.interleaved import Rounds
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.restoring import random_state_restored, seed_everything
from mmkd_video.datasets.decoders import DECODERS, expect_decoder, open_video
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.pipelines import pipeline_of_loader, type_name
from mmkd_video.recognizers.plain_student import plain_student

Jobs = dict[str, tuple[bytes, list[int]]]


def benchmark_decode(
    path: str,
    *,
    clips: int = 32,
    rounds: int = 7,
    warmup: int = 1,
    cfg_options: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Let every installed decoder read the same training clips, as the pipeline samples them, with one thread.

    Args:
        path: Path of a training config.
        clips: Number of videos, spread over the training set.
        rounds: Measured rounds; each holds every decoder once.
        warmup: Rounds before that.
        cfg_options: Settings that replace those of the config, by dotted key.
        progress: Function that is called with (rounds done, rounds in all).

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: The config samples no frames of videos, or no decoder reads any of them.
    """
    missing: dict[str, str] = {}
    for name in DECODERS:
        try:
            expect_decoder(name)
        except ImportError as error:
            missing[name] = str(error).splitlines()[0]
    there = [name for name in DECODERS if name not in missing]
    if not there:
        raise WrongValueError(f'no decoder is installed; expected one of {", ".join(DECODERS)}')
    jobs = _jobs(path, clips, there[0], cfg_options)
    frames = {name: {video: _frames(name, *job) for video, job in jobs.items()} for name in there}
    shared = [video for video in jobs if all(isinstance(frames[name][video], np.ndarray) for name in there)]
    if not shared:
        raise WrongValueError(f'{path}: none of {len(jobs)} videos is read by {" and ".join(there)}')
    variants = {name: lambda name=name: [_frames(name, *jobs[video]) for video in shared] for name in there}
    watch = LoadWatch()
    timings = measure_interleaved(variants, Rounds(rounds, warmup=warmup), watch, progress=progress)
    first = there[0]
    rows = []
    for name in there:
        each = median_interval([seconds / len(shared) for seconds in timings[name].cpu])
        rows.append(Row.of(f'{name}, a clip (CPU time)', 's', each))
    for name in there[1:]:
        ratio = median_interval(paired_ratios(timings[name].cpu, timings[first].cpu))
        rows.append(Row.of(f'{name} / {first}', 'ratio', ratio))
    facts = {'clips': f'{len(shared)} of {path}', 'threads': '1', 'rounds': str(rounds)}
    facts |= {name: _compared(frames[name], frames[first], name == first) for name in there}
    facts |= {name: f'not measured: {why}' for name, why in missing.items()}
    raw = {name: dict(cpu=timing.cpu, wall=timing.wall) for name, timing in timings.items()}
    return Report('Decoders on training clips', facts, rows, raw)


def _jobs(path: str, clips: int, decoder: str, cfg_options: Mapping[str, Any] | None) -> Jobs:
    """Return files and the frames that are sampled of them, by name."""
    config = plain_student(read_config(path, cfg_options, with_budget=False))
    loader = config.get('train_dataloader') or {}
    steps = pipeline_of_loader(loader) or []
    if steps and type_name(steps[0]) == 'DistillViews':
        steps = list(steps[0]['student'])
    names = [type_name(step) for step in steps]
    place = next((index for index, name in enumerate(names) if name.endswith('Decode')), None)
    if place is None or not any(name.endswith('Init') for name in names[:place]):
        raise WrongValueError(
            f'{path}: the training pipeline is {names}; expected DecordInit, a sampler and DecordDecode'
        )
    jobs: Jobs = {}
    with DefaultScope.overwrite_default_scope('mmaction'), random_state_restored():
        dataset = DATASETS.build(loader['dataset'])
        samplers = [
            TRANSFORMS.build(step) for step, name in zip(steps[:place], names, strict=False) if 'Init' not in name
        ]
        for index in np.unique(np.linspace(0, len(dataset) - 1, min(clips, len(dataset))).round().astype(int)):
            info = dataset.get_data_info(int(index))
            try:
                content = Path(info['filename']).read_bytes()
                reader = open_video(content, decoder)
                results = dict(info, total_frames=len(reader), avg_fps=reader.get_avg_fps())
            except Exception:  # tools/check_data.py says what is wrong with it
                continue
            seed_everything(0, int(index))
            for sampler in samplers:
                results = sampler(results)
            jobs[info['filename']] = content, [int(each) for each in np.ravel(results['frame_inds'])]
    if not jobs:
        raise WrongValueError(f'{path}: {decoder} reads none of the first {clips} videos; see tools/check_data.py')
    return jobs


def _frames(decoder: str, content: bytes, indices: list[int]) -> np.ndarray | str:
    """Return the frames, or what is wrong."""
    try:
        return open_video(content, decoder).get_batch(indices).asnumpy()
    except Exception as error:
        return f'{type(error).__name__}: {error}'.splitlines()[0]


def _compared(found: Mapping[str, Any], reference: Mapping[str, Any], itself: bool) -> str:
    """Say how frames differ from those of the first decoder."""
    unread = [video for video, frames in found.items() if isinstance(frames, str)]
    said = [f'{len(unread)} not read, such as {unread[0]} ({found[unread[0]]})'] if unread else []
    if itself:
        return ', '.join(['what the others are compared with', *said])
    both = [video for video in found if video not in unread and not isinstance(reference[video], str)]
    odd = [video for video in both if found[video].shape != reference[video].shape]
    off = {video: np.abs(found[video].astype(int) - reference[video]) for video in both if video not in odd}
    differing = [*odd, *(video for video, each in off.items() if each.any())]
    if not differing:
        return ', '.join([f'the same frames, to the bit, in {len(both)} clips', *said])
    worst = max((int(each.max()) for each in off.values()), default=255)
    told = f'other frames in {len(differing)} of {len(both)} clips, such as {differing[0]}, by at most {worst} of 255'
    return ', '.join([told, *said])
