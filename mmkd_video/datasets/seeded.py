"""A dataset whose samples depend on (seed, epoch, sample) alone, not on the process that loads them."""

from collections.abc import Sized
from typing import Any, NamedTuple

import numpy as np

from mmkd_video.core.mistakes import WorkFailedError, WrongValueError, name_of_kind
from mmkd_video.core.replay import SAMPLE_VIEW, Draw, Replay
from mmkd_video.core.restoring import random_state_restored, seed_everything
from mmkd_video.datasets.one_decode import WantedClips, share_decoding, share_frames
from mmkd_video.datasets.unreadable import is_unreadable
from mmkd_video.datasets.watched_loader import ReadingBoard

REPLACED = 'replaced_videos'
SAMPLE_INDEX = 'sample_idx'
_SAMPLES = 1  # keeps these seeds apart from those of other uses of the same run's seed
_MOMENTS = 3  # 2 is taken by what transforms draw when they are built
_FIRST_CLIP = 0  # one sample is one clip; further clips of a sample would count on from here


class SampleKey(NamedTuple):
    """The key that, with the run's seed, determines a sample's randomness.

    Attributes:
        index: The sampler's index, before a RepeatDataset takes it modulo its length.
        epoch: Number of the pass over the data.
        repeat: Number that tells apart the times that a sample comes within one epoch.
    """

    index: int
    epoch: int = 0
    repeat: int = 0


class SeededDataset:
    """Load each sample under random generators seeded for it, and replace videos that cannot be read.

    The global generators of python, numpy and torch are left as they were found, so that loading in the main process
    and in workers comes to the same. A replacement is drawn from the sample's own seed and noted in the data sample's
    metainfo under ``replaced_videos``: ``{name of the unreadable video: what went wrong}``. The index of the video that
    was loaded, among the distinct ones of a RepeatDataset, stands there under ``sample_idx``.

    Args:
        dataset: The dataset to wrap; anything with ``__getitem__`` and ``__len__``. Its other attributes are reached
            through the wrapper.
        seed: The run's seed.
        max_tries: Videos to try for one sample before giving up.
        board: Board on which workers say which video they read; None where nobody looks.
        replay: Augmentations to draw instead of new ones in every epoch. The number of a sample's stands under
            ``sample_view``; a replacement is drawn as that video itself would be. With several clips of a video a
            sample is a list of these.

    Raises:
        ValueError: Several clips of a video are wanted, and a pipeline has no decoder.
    """

    def __init__(
        self,
        dataset: Sized,
        seed: int,
        max_tries: int = 10,
        board: ReadingBoard | None = None,
        replay: Replay | None = None,
    ) -> None:
        self.dataset = dataset
        self.replay = replay
        self.seed = seed
        self.max_tries = max_tries
        self.board = board
        self._stuck: dict[str, str] = {}
        self._wanted = None
        if replay is not None and max(replay.clips, replay.same_frames) > 1:
            self._wanted = WantedClips()
            if replay.same_frames > 1:
                share_frames(dataset, self._wanted)
            if replay.clips > 1:
                share_decoding(dataset, self._wanted)

    def note_stuck(self, name: str, reason: str) -> None:
        """Replace a video from now on, as if it could not be read."""
        self._stuck[name] = reason

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        # Python's protocols (`__getitems__`, pickling) must not reach the wrapped dataset past the seeding.
        if name.startswith('__') or 'dataset' not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __getitem__(self, key: SampleKey | int) -> Any:
        """Load a sample.

        Args:
            key: The sample and its epoch; a plain index means epoch 0.

        Raises:
            RuntimeError: If ``max_tries`` videos in a row cannot be read.
        """
        index, epoch, repeat = SampleKey(*key) if isinstance(key, tuple) else SampleKey(key)
        seed, replay = self.seed, self.replay
        if replay is not None:
            draws = replay.draws(index, epoch, repeat)
            seed, repeat, (index, epoch) = replay.seed, 0, draws[0]
        else:
            draws = [Draw(index, epoch)]
        draw = np.random.default_rng((seed, _SAMPLES, epoch, index))
        bad: dict[str, str] = {}
        wanted = index
        with random_state_restored():
            for attempt in range(self.max_tries):
                first, tried = (index, attempt) if replay is None else (wanted, 0)
                seeds = [(seed, _SAMPLES, each.view, first, _FIRST_CLIP + repeat, tried) for each in draws]
                try:
                    sample = self._draw(wanted, seeds)
                    views = None if replay is None else [each.view for each in draws]
                    return _note(sample, wanted % self.num_distinct, bad, views)
                except Exception as error:
                    if not is_unreadable(error):
                        raise
                    bad[self.name_of(wanted)] = f'{name_of_kind(error)}: {error}'.splitlines()[0]
                    last = error
                wanted = int(draw.integers(len(self.dataset) if replay is None else replay.samples))
        listed = '\n'.join(f'  {name}: {reason}' for name, reason in bad.items())
        raise WorkFailedError(
            f'{self.max_tries} videos in a row cannot be read; is data_prefix right?\n{listed}'
        ) from last

    def _draw(self, index: int, seeds: list[tuple[int, ...]]) -> Any:
        if self._wanted is None:
            seed_everything(*seeds[0])
            return self._load(index)
        same = self.replay.same_frames
        moments = [(seed[0], _MOMENTS, seed[2] // same, index) if same > 1 else None for seed in seeds]
        seed_everything(*seeds[0])
        with self._wanted.of(seeds, moments):
            return self._load(index)

    def _load(self, index: int) -> Any:
        if self.board is None:
            return self.dataset[index]
        name = self.name_of(index)
        if name in self._stuck:
            raise TimeoutError(self._stuck[name])
        with self.board.reading(name):
            return self.dataset[index]

    @property
    def num_distinct(self) -> int:
        """Number of different samples, those of a RepeatDataset counted once."""
        return getattr(self.dataset, '_ori_len', len(self.dataset))

    def name_of(self, index: int) -> str:
        """Return the name of a video, or where it has none its index."""
        info = self.dataset.get_data_info(index) if hasattr(self.dataset, 'get_data_info') else {}
        return str(info.get('filename') or info.get('frame_dir') or f'sample {index}')


def _note(sample: Any, index: int, bad: dict[str, str], views: list[int] | None = None) -> Any:
    """Write the sample's index into its data sample, or into those of its several clips; its view where it has one.

    The replaced videos stand in the first one only.
    """
    if views is not None and isinstance(sample, list) and len(views) == 1:
        raise WrongValueError(
            f'train_dataloader.dataset: got {len(sample)} clips of one sample, as RepeatAugDataset makes them; '
            'expected one clip of each sample, such as a VideoDataset gives, where answers of a teacher are cached'
        )
    for place, clip in enumerate(sample if isinstance(sample, list) else [sample]):
        if isinstance(clip, dict) and hasattr(clip.get('data_samples'), 'set_metainfo'):
            replaced = {REPLACED: bad} if bad and place == 0 else {}
            drawn = {} if views is None else {SAMPLE_VIEW: views[place]}
            clip['data_samples'].set_metainfo({SAMPLE_INDEX: index, **drawn, **replaced})
    return sample
