"""Several samples of one video that is decoded once, each as it is when it is made alone; or of the same frames."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.restoring import get_random_state, random_state_restored, seed_everything, set_random_state
from mmkd_video.recognizers.pipelines import type_name

OPENING = ('DecordInit', 'PyAVInit', 'OpenCVInit', 'PIMSInit')  # they draw nothing


class WantedClips:
    """What a data set asks of the pipelines below it: how many samples of the next video, and from which seeds."""

    def __init__(self) -> None:
        self.seeds: Sequence[Sequence[int]] | None = None
        self.moments: Sequence[Sequence[int] | None] = ()
        self.moment: Sequence[int] | None = None

    @contextmanager
    def of(self, seeds: Sequence[Sequence[int]], moments: Sequence[Sequence[int] | None]) -> Iterator[None]:
        """Let videos be loaded in several samples within the block.

        Args:
            seeds: Numbers that what each sample draws follows from.
            moments: Numbers that its frames follow from; None where they follow from its seed, too.
        """
        self.seeds, self.moments, self.moment = seeds, moments, moments[0]
        try:
            yield
        finally:
            self.seeds, self.moments, self.moment = None, (), None


class SameMoment:
    """A transform that draws frames, from a seed of its own where one is given; the generators are left as they were.

    Args:
        step: The transform.
        place: Its place in the pipeline.
        wanted: The seed.
    """

    def __init__(self, step: Callable[[dict], Any], place: int, wanted: WantedClips) -> None:
        self.step, self.place, self.wanted = step, place, wanted

    def __call__(self, results: dict) -> Any:
        """Run it."""
        if self.wanted.moment is None:
            return self.step(results)
        with random_state_restored():
            seed_everything(*self.wanted.moment, self.place)
            return self.step(results)


class OneDecodePipeline:
    """A training pipeline that decodes a video once for all samples that are wanted of it.

    Each sample is, bit for bit, what the pipeline alone makes under the generators seeded for it. Frames are drawn for
    all of them first, each frame is decoded once, then each sample is augmented on.

    Args:
        pipeline: The pipeline; its attributes are reached through the wrapper.
        wanted: Number of samples that are wanted, and their seeds; where it holds none, the pipeline runs as it is.

    Raises:
        ValueError: It has no decoder.
    """

    def __init__(self, pipeline: Callable[[dict], Any], wanted: WantedClips) -> None:
        self.pipeline, self.wanted = pipeline, wanted
        self._decode = place_of_decoder(pipeline.transforms)
        names = [type_name(step) for step in pipeline.transforms]
        self._opening = next(place for place, name in enumerate(names) if name not in OPENING)

    def __getattr__(self, name: str) -> Any:
        # Unpickling and copying ask before there is a pipeline.
        if name.startswith('__') or 'pipeline' not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.pipeline, name)

    def __call__(self, info: dict) -> Any:
        """Load the sample that ``info`` describes, or a list of those that are wanted of it."""
        seeds = self.wanted.seeds
        if seeds is None:
            return self.pipeline(info)
        steps = self.pipeline.transforms
        opened = _run(steps[: self._opening], info)
        samples, states = [], []
        for seed, moment in zip(seeds, self.wanted.moments, strict=True):
            seed_everything(*seed)
            self.wanted.moment = moment
            samples.append(_run(steps[self._opening : self._decode], _own(opened)))
            states.append(get_random_state())
        self._decode_once(opened, samples)
        made = []
        for sample, state in zip(samples, states, strict=True):
            set_random_state(state)
            made.append(_run(steps[self._decode + 1 :], sample))
        return made

    def _decode_once(self, opened: dict, samples: list[dict]) -> None:
        """Give each sample its frames, and whatever else the decoder notes of a video."""
        parts = [np.asarray(sample['frame_inds']).reshape(-1) for sample in samples]
        union, where = np.unique(np.concatenate(parts), return_inverse=True)
        before = dict(samples[0], frame_inds=union.astype(parts[0].dtype))
        decoded = self.pipeline.transforms[self._decode](dict(before))
        noted = {key: value for key, value in decoded.items() if key not in before or value is not before[key]}
        frames = noted.pop('imgs')
        noted.pop('frame_inds', None)
        taken: set[int] = set()
        for sample, part in zip(samples, np.split(where, np.cumsum([len(each) for each in parts])[:-1]), strict=True):
            sample.update(copy.deepcopy(noted))
            inds = sample['frame_inds']
            sample['frame_inds'] = inds if inds.ndim == 1 else np.squeeze(inds)  # as decoders leave them
            sample['imgs'] = [frames[place].copy() if place in taken else frames[place] for place in part]
            taken.update(part.tolist())


def share_decoding(dataset: Any, wanted: WantedClips) -> None:
    """Make all pipelines of a data set, and of those that it wraps, decode a video once for several samples.

    Args:
        dataset: Its pipelines are replaced.
        wanted: Number of samples that are wanted, and their seeds, as of the time when a video is loaded.

    Raises:
        ValueError: A pipeline has no decoder.
    """
    held = vars(dataset)
    if 'pipeline' in held and not isinstance(held['pipeline'], OneDecodePipeline):
        dataset.pipeline = OneDecodePipeline(held['pipeline'], wanted)
    for inner in (*[held[key] for key in ('dataset', '_dataset') if key in held], *held.get('datasets', ())):
        share_decoding(inner, wanted)


def share_frames(dataset: Any, wanted: WantedClips) -> None:
    """Make all pipelines of a data set, and of those that it wraps, draw frames from seeds of their own.

    Args:
        dataset: The steps before the decoders of its pipelines, and of a ``DistillViews``, are replaced.
        wanted: The seeds, as of the time when a video is loaded.

    Raises:
        ValueError: A pipeline has no decoder, or a view that is not cut from the student's frames.
    """
    held = vars(dataset)
    if 'pipeline' in held:
        steps = held['pipeline'].transforms
        if hasattr(steps[0], 'sampling'):  # DistillViews
            if steps[0].own:
                raise WrongValueError(
                    f'DistillViews: view {next(iter(steps[0].own))!r} is of another modality than RGB and draws its '
                    'own frames; expected --same-frames 1'
                )
            steps, decode = steps[0].sampling, len(steps[0].sampling)
        else:
            decode = place_of_decoder(steps)
        for place in range(decode):
            if type_name(steps[place]) not in OPENING and not isinstance(steps[place], SameMoment):
                steps[place] = SameMoment(steps[place], place, wanted)
    for inner in (*[held[key] for key in ('dataset', '_dataset') if key in held], *held.get('datasets', ())):
        share_frames(inner, wanted)


def place_of_decoder(steps: Sequence) -> int:
    """Return the place of the decoder in a pipeline.

    Args:
        steps: Transforms.

    Raises:
        ValueError: There is none.
    """
    names = [type_name(step) for step in steps]
    for place, name in enumerate(names):
        if 'Decode' in name:
            return place
    raise WrongValueError(
        f'train_dataloader.dataset.pipeline: got {names}; expected a decoder (DecordDecode, RawFrameDecode, ...) '
        'before the augmentations, where clips_per_video is above 1; with DistillViews set it to 1'
    )


class FlatCollate:
    """Make a batch of samples of which some are lists of several.

    Args:
        collate: Function that makes a batch of a flat list of samples.
    """

    def __init__(self, collate: Callable[[list], Any]) -> None:
        self.collate = collate

    def __call__(self, samples: Sequence) -> Any:
        """Return the batch; the samples of one video follow each other."""
        return self.collate([each for one in samples for each in (one if isinstance(one, list) else [one])])


def _own(opened: dict) -> dict:
    """Return a copy of a record that transforms may write into; the open video is shared."""
    return {key: value if key == 'video_reader' else copy.deepcopy(value) for key, value in opened.items()}


def _run(transforms: Sequence, results: dict) -> dict:
    for transform in transforms:
        results = transform(results)
        if results is None:
            raise WrongValueError(
                f'{type_name(transform)}: got no sample from it; expected transforms that give up on no video where '
                'answers of a teacher are cached'
            )
    return results
