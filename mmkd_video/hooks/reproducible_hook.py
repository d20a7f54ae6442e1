"""Reproducible training: all randomness of a run depends on its seed and on its progress alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmengine.runner.base_loop import BaseLoop
from torch.utils.data import DataLoader, IterableDataset

from mmkd_video.core.checked import Number, Optional, Whole, checked
from mmkd_video.core.mistakes import WorkFailedError, WrongValueError
from mmkd_video.core.registry import HOOKS
from mmkd_video.core.replay import Replay
from mmkd_video.datasets import (
    SeededDataset,
    build_replayed,
    hash_of_names,
    hash_of_pipeline,
    name_unreadable_videos,
    seed_everything,
)
from mmkd_video.datasets.label_check import expect_known_classes, wrong_label
from mmkd_video.datasets.resuming_iterator import ResumingIterator
from mmkd_video.datasets.seeded_loader import seeded_loader, settings_of
from mmkd_video.datasets.watched_loader import ReadingBoard, WatchedLoader
from mmkd_video.hooks.model_contract import HasTeachers, ability_of, parts_of_teachers
from mmkd_video.hooks.model_wrapper import unwrapped_model

_BATCHES = 2  # keeps these seeds apart from those of samples


@HOOKS.register_module()
@checked(
    max_bad_videos=Optional(Whole(0), 'any number'),
    max_bad_share=Number(0, 1, above=True),
    video_timeout=Optional(Number(0, above=True), 'workers are not watched'),
)
class ReproducibleHook(Hook):
    """Make training reproducible whatever the number of workers, and resume exact.

    What happens to a sample follows from (seed, epoch, sample); what happens to a batch (blending, dropout) from (seed,
    rank, iteration). Nothing random is stored in checkpoints. Videos that cannot be read are replaced by others in
    training; in validation and test they are named. A label that the model has no class for ends the training.
    Where a teacher's answers are cached, samples are drawn as they were when the cache was made.

    Args:
        max_bad_videos: Training stops when this many different videos could not be read by one process; each process
            counts those of its own samples, so that several together may meet more. None: any number.
        max_bad_share: Share of the videos that one process reads in an epoch at which it stops, too; above 0, at
            most 1.
        video_timeout: Seconds after which a video that a worker reads counts as one that cannot be read; decoders may
            hang. None: workers are not watched. Without workers (``num_workers=0``) nothing is.
    """

    priority = 'VERY_HIGH'

    def __init__(
        self, max_bad_videos: int | None = 10, max_bad_share: float = 0.25, video_timeout: float | None = 120.0
    ) -> None:
        self.max_bad_videos, self.max_bad_share = max_bad_videos, max_bad_share
        self.video_timeout = video_timeout
        self.bad_videos: dict[str, str] = {}
        self._begins = False  # whether the next epoch is the first of this process

    def before_run(self, runner: Runner) -> None:
        """Put the seeded dataset and its keys into the training loop, and name videos in the errors of the other loops.

        Raises:
            ValueError: If the dataset is empty, its samples have no index to follow, or a label has no class.
        """
        for name in ('_val_loop', '_test_loop'):
            tested = getattr(runner, name, None)
            if isinstance(tested, BaseLoop) and hasattr(tested.dataloader.dataset, '__dict__'):
                tested.dataloader = _watch_tested(tested.dataloader, self.video_timeout)
                if not _relabels(tested.dataloader):
                    model, labelled = unwrapped_model(runner), name == '_val_loop'
                    expect_known_classes(tested.dataloader.dataset, model, labelled=labelled)
        loop = runner._train_loop  # the property would build a loop that validation and testing do not need
        if not isinstance(loop, BaseLoop) or isinstance(loop.dataloader.dataset, SeededDataset):
            return
        _check(loop.dataloader)
        if not _relabels(loop.dataloader):
            expect_known_classes(loop.dataloader.dataset, unwrapped_model(runner))
        old, replay = loop.dataloader, _replay_for(runner)
        dataset = old.dataset if replay is None else _replayed(runner, replay)
        clips = 1 if replay is None else replay.clips
        _expect_whole_videos(old.batch_sampler, clips)
        seeded = SeededDataset(dataset, runner.seed, replay=replay)
        loop.dataloader = seeded_loader(old, seeded, self.video_timeout, clips)
        if isinstance(loop, IterBasedTrainLoop):
            _stop_workers(old, loop.dataloader_iterator)
            loop.dataloader_iterator = ResumingIterator(loop.dataloader)

    def before_train(self, runner: Runner) -> None:
        """Continue with the batch after the last one trained on."""
        loop, self._begins = runner.train_loop, True
        if isinstance(loop, IterBasedTrainLoop) and isinstance(loop.dataloader.dataset, SeededDataset):
            loop.dataloader_iterator = ResumingIterator(loop.dataloader, loop.iter)

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the number of the next pass over the data; continue within it where the training was interrupted."""
        loop = runner.train_loop
        if isinstance(loop, IterBasedTrainLoop):
            return
        loop.dataloader.batch_sampler.set_epoch(runner.epoch)
        done = runner.iter - runner.epoch * len(loop.dataloader)
        if self._begins and 0 < done <= len(loop.dataloader):
            _skip(loop, done)
        self._begins = False

    def after_train_epoch(self, runner: Runner) -> None:
        """Count batches from 0 again."""
        vars(runner.train_loop).pop('run_iter', None)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seed the global generators for this batch, check its labels, count the videos that were replaced in it.

        Raises:
            RuntimeError: If too many videos could not be read.
            ValueError: If a label is none of the model's classes.
        """
        samples = data_batch.get('data_samples', ()) if isinstance(data_batch, dict) else ()
        self._count(runner, samples)
        if samples and not _relabels(getattr(getattr(runner, 'train_loop', None), 'dataloader', None)):
            model = unwrapped_model(runner)
            wrong = wrong_label(samples, model, labelled=ability_of(model, HasTeachers) is None)
            if wrong:
                raise WrongValueError(f'{_source(runner.train_loop.dataloader.dataset)}: {wrong}')
        seed_everything(runner.seed, _BATCHES, get_rank(), runner.iter, cuda=True)

    def _count(self, runner: Runner, samples: Sequence) -> None:
        replaced = {name: why for sample in samples for name, why in sample.get('replaced_videos', {}).items()}
        new = {name: why for name, why in replaced.items() if name not in self.bad_videos}
        self.bad_videos.update(new)
        for name, reason in new.items():
            runner.logger.warning(
                f'{name} cannot be read ({reason}); replaced by another video ({len(self.bad_videos)} so far, training '
                f'stops at max_bad_videos={self.max_bad_videos}, or at a share of {self.max_bad_share:g})'
            )
        bad = len(self.bad_videos)
        if bad and self.max_bad_videos is not None and bad >= self.max_bad_videos:
            self._stop(f'max_bad_videos={self.max_bad_videos}')
        own = _own_videos(runner) if bad else None
        if own and bad >= self.max_bad_share * own:
            self._stop(f'of {own} of this process, max_bad_share={self.max_bad_share:g}')

    def _stop(self, limit: str) -> None:
        listed = '\n'.join(f'  {name}: {reason}' for name, reason in sorted(self.bad_videos.items()))
        raise WorkFailedError(
            f'{len(self.bad_videos)} videos cannot be read, {limit}; mend or remove them (tools/check_data.py '
            f'finds all), or raise ReproducibleHook({limit.rpartition(" ")[2].partition("=")[0]}=...):\n{listed}'
        )


def _relabels(loader: Any) -> bool:
    """Return whether a loader's batches are episodes: their labels are not those that the model's classes are for."""
    return getattr(getattr(loader, 'batch_sampler', None), 'relabels', False)


def _own_videos(runner: Runner) -> int | None:
    """Return how many videos this process reads in an epoch; None where that cannot be told."""
    loader = getattr(getattr(runner, 'train_loop', None), 'dataloader', None)
    dataset = getattr(loader, 'dataset', None)
    if not isinstance(dataset, SeededDataset):
        return None
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    return -(-dataset.num_distinct // getattr(sampler, 'world_size', 1))


def _skip(loop: BaseLoop, done: int) -> None:
    """Leave out the first batches of an epoch without loading them; the next one has its own number."""
    loop.dataloader.batch_sampler.skip = done
    run_iter = loop.run_iter
    loop.run_iter = lambda index, batch: run_iter(index + done, batch)


def _check(loader: DataLoader) -> None:
    if isinstance(loader.dataset, IterableDataset) or loader.batch_sampler is None:
        raise WrongValueError(
            f'train_dataloader: got {type(loader.dataset).__name__} with batch sampler {loader.batch_sampler}; '
            'ReproducibleHook seeds samples by their index: expected a dataset with indices and a batch_size'
        )
    if not len(loader.dataset):
        raise WrongValueError(f'train_dataloader: no samples in {_source(loader.dataset)}')
    _expect_enough_for_a_batch(loader)


def _expect_enough_for_a_batch(loader: DataLoader) -> None:
    sampler, size = getattr(loader.batch_sampler, 'sampler', None), getattr(loader.batch_sampler, 'batch_size', None)
    ranks = getattr(sampler, 'world_size', 1)
    share = -(-len(loader.dataset) // ranks)
    if isinstance(size, int) and size > share and not isinstance(sampler, InfiniteSampler):  # it fills every batch
        whose = f'share of each of {ranks} ranks in the' if ranks > 1 else 'number of'
        raise WrongValueError(
            f'train_dataloader.batch_size: got {size}; expected at most {share}, the {whose} {len(loader.dataset)} '
            f'samples of {_source(loader.dataset)}; set train_dataloader.batch_size={share} or less, and a learning '
            'rate that fits it, or add clips'
        )
    if not len(loader):
        raise WrongValueError(
            f'train_dataloader: {len(loader.dataset)} samples make no batch of {size}; lower batch_size'
        )


def _expect_whole_videos(batches: Any, clips: int) -> None:
    """Check that a batch divides into videos of so many clips each, and its labelled part does."""
    size, parts = getattr(batches, 'batch_size', None), getattr(batches, 'counts', ())
    for key, count in (('batch_size', size), *(('batch_sampler.labelled', part) for part in parts)):
        if clips > 1 and (not isinstance(count, int) or count % clips):
            raise WrongValueError(
                f'train_dataloader.{key}: got {count} clips; expected a multiple of clips_per_video={clips}, as a '
                'batch holds so many clips of each of its videos; set another batch_size or clips_per_video'
            )


def _source(dataset: Any) -> str:
    return ', '.join(_annotation_files(dataset)) or 'dataset'


def _annotation_files(dataset: Any) -> list[str]:
    """Annotation files of a dataset and of those it wraps."""
    inner = [getattr(dataset, key) for key in ('dataset', '_dataset') if key in vars(dataset)]
    inner += vars(dataset).get('datasets', ())
    files = [name for wrapped in inner for name in _annotation_files(wrapped)]
    return files or [str(name) for name in [vars(dataset).get('ann_file')] if name]


def _watch_tested(loader: DataLoader, timeout: float | None) -> DataLoader:
    """The same loader over named samples, watched where it has workers."""
    batches = getattr(loader, 'batch_sampler', None)
    board = ReadingBoard(loader.num_workers, timeout) if timeout and getattr(loader, 'num_workers', 0) else None
    name_unreadable_videos(loader.dataset, board)
    if board is None or batches is None or isinstance(loader.dataset, IterableDataset):
        return loader
    return WatchedLoader(loader.dataset, batch_sampler=batches, board=board, **settings_of(loader))


def _replay_for(runner: Runner) -> Replay | None:
    """Return the augmentations that cached answers of teachers are about; None where there are none.

    Raises:
        ValueError: They are about different ones.
    """
    teachers = parts_of_teachers(runner.model)
    found = {name: each.replay for name, each in teachers.items() if getattr(each, 'replay', None) is not None}
    if len({(each.seed, each.views, each.same_frames, each.clips) for each in found.values()}) > 1:
        told = ', '.join(
            f'{name} (seed {each.seed}, {each.views} views, {each.clips} clips of a video)'
            for name, each in found.items()
        )
        raise WrongValueError(
            f'teacher: got caches of different augmentations: {told}; expected those of one seed, one number of views '
            'and one clips_per_video, so that all teachers answer about the same clip'
        )
    return next(iter(found.values()), None)


def _replayed(runner: Runner, replay: Replay) -> Any:
    """Return the training set built as it was when the cache was made.

    Raises:
        ValueError: It is another one, or the config does not say how it is built.
    """
    settings = runner._train_dataloader
    if not isinstance(settings, Mapping):
        raise WrongValueError(
            f'train_dataloader: got {type(settings).__name__}; expected the settings of a loader (a dict), so that its '
            "data set can be built as for the teacher's cache"
        )
    dataset = build_replayed(settings, replay.seed)
    pipeline = hash_of_pipeline(settings)
    for teacher in parts_of_teachers(runner.model).values():
        if teacher.replay is not None:
            teacher.replay.check(SeededDataset(dataset, 0).num_distinct, hash_of_names(dataset), pipeline)
    return dataset


def _stop_workers(loader: DataLoader, iterator: Any) -> None:
    """End the workers that the loop started when it was built."""
    running = getattr(iterator, '_iterator', None)
    if hasattr(running, '_shutdown_workers'):
        running._shutdown_workers()
    loader._iterator = None
