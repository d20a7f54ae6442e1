"""Makes a training safe to kill and to resume."""

import os.path as osp
from pathlib import Path
from typing import Any

from mmengine.dist import broadcast_object_list, get_world_size, is_main_process
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.runner.base_loop import BaseLoop

from mmkd_video.core.checked import checked
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.temporary import remove_temporary_files
from mmkd_video.core.registry import HOOKS
from mmkd_video.hooks.another_length import count_anew
from mmkd_video.hooks.atomic_checkpoint_hook import AtomicCheckpointHook
from mmkd_video.hooks.reproducible_hook import ReproducibleHook
from mmkd_video.hooks.resume_point import LENGTH, RANKS, SAMPLES, ResumePoint
from mmkd_video.hooks.run_record import check_run_record
from mmkd_video.hooks.work_dir_lock import hold_work_dir, release_work_dir


@HOOKS.register_module()
@checked()
class CheckpointGuardHook(Hook):
    """Whole checkpoints, a resume that finds the newest whole one, and no two configs in one work_dir.

    Before a training starts it

    * holds the work_dir until its end, so that no second training begins there;
    * puts an :class:`AtomicCheckpointHook` with the same settings in the place of each stock CheckpointHook;
    * removes the temporary files that a killed writer has left;
    * on ``resume`` without a named checkpoint, falls back from an unreadable or incomplete one to the one before. A
      loop over epochs goes on within one where a ReproducibleHook skips what was trained on, and the epochs are as long
      as they were; on another number of processes, from the end of an epoch;
    * compares model, training data, optimizer, schedules and seed with those that ``mmkd_run.json`` in the work_dir
      holds; the length of the training may change.

    Rank 0 looks at the files; all ranks get its decision, and raise the same error.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._prepared = False

    def before_run(self, runner: Runner) -> None:
        """Prepare a training; validation and test alone are left as they are.

        Args:
            runner: The runner, its loops built, its checkpoint not yet loaded.

        Raises:
            FileNotFoundError: The checkpoint to resume from is missing.
            ValueError: It cannot be resumed from, or the work_dir belongs to another config.
            BlockingIOError: Another process is training in the work_dir.
        """
        if self._prepared or not isinstance(runner, Runner) or not isinstance(runner._train_loop, BaseLoop):
            return
        self._prepared = True
        self._make_atomic(runner)
        decision: list[Any] = [None, None]
        if is_main_process():
            # An error on one rank alone would leave the others waiting for it.
            try:
                decision[0] = self._prepare(runner)
            except (ValueError, OSError) as error:
                decision[1] = error
        broadcast_object_list(decision)
        resume_from, error = decision
        if error is not None:
            raise error
        if resume_from is not None:
            # Every rank reads this very file, whatever its view of last_checkpoint on a shared disk.
            runner._load_from = resume_from

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add to the checkpoint how long an epoch is, and what makes it so."""
        if isinstance(runner._train_loop, EpochBasedTrainLoop):
            loader = runner.train_dataloader
            checkpoint['meta'].update({LENGTH: len(loader), RANKS: get_world_size(), SAMPLES: len(loader.dataset)})

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Count in iterations of this run when a training goes on with another number of processes."""
        if runner._resume and isinstance(runner._train_loop, EpochBasedTrainLoop):
            done = count_anew(runner, checkpoint, len(runner.train_dataloader), get_world_size())
            if done:
                runner.logger.info(done)

    def after_run(self, runner: Runner) -> None:
        """Release the work_dir."""
        release_work_dir(runner.work_dir)

    def _make_atomic(self, runner: Runner) -> None:
        for index, hook in enumerate(runner._hooks):
            if type(hook) is CheckpointHook:
                runner._hooks[index] = AtomicCheckpointHook.from_stock(hook)
                runner.logger.info('CheckpointHook is replaced by AtomicCheckpointHook: checkpoints are never half.')

    def _prepare(self, runner: Runner) -> str | None:
        work_dir = Path(runner.work_dir)
        hold_work_dir(work_dir)
        hooks = [hook for hook in runner._hooks if isinstance(hook, CheckpointHook)]
        patterns = [(folder, hook.filename_tmpl) for hook in hooks if (folder := _local_folder(hook, runner))]
        folders = {work_dir, *(folder for folder, _ in patterns)}
        for folder in folders:
            for stale in remove_temporary_files(folder):
                runner.logger.info(f'Removed {stale}, left by a writer that was killed.')
        if isinstance(runner.cfg.get('model'), dict):
            check_run_record(work_dir, runner.cfg, any(next(folder.glob('*.pth'), None) for folder in folders))
        if not runner._resume or runner._has_loaded:
            return None
        loop = runner._train_loop
        by_epoch = isinstance(loop, EpochBasedTrainLoop)
        point = ResumePoint(
            work_dir=work_dir,
            patterns=patterns,
            iters_per_epoch=len(loop.dataloader) if by_epoch else None,
            needs_optimizer=any(hook.save_optimizer for hook in hooks),
            within_epochs=any(isinstance(hook, ReproducibleHook) for hook in runner._hooks),
            ranks=get_world_size(),
            num_samples=len(loop.dataloader.dataset) if by_epoch else None,
        )
        if runner._load_from is not None:
            if '://' not in str(runner._load_from):
                point.check(Path(runner._load_from))
            return None
        # Checkpoints on remote storage alone are beyond what can be looked at here: MMEngine takes the last one.
        return self._find(point, runner) if patterns or not hooks else None

    def _find(self, point: ResumePoint, runner: Runner) -> str | None:
        last_checkpoint = point.work_dir / 'last_checkpoint'
        found = point.find()
        if found is None:
            last_checkpoint.unlink(missing_ok=True)
            runner.logger.info(f'No checkpoint to resume from in {point.work_dir}: training starts from the beginning.')
            return None
        write_atomically(str(found).encode(), last_checkpoint)
        runner.logger.info(f'Resuming from {found}.')
        return str(found)


def _local_folder(hook: CheckpointHook, runner: Runner) -> Path | None:
    """Return where a hook will save, as CheckpointHook itself works it out before training; None if not on disk."""
    if hook.file_client_args is not None:
        return None
    folder = runner.work_dir
    if hook.out_dir is not None and hook.out_dir != runner.work_dir:
        folder = osp.join(hook.out_dir, osp.basename(runner.work_dir.rstrip(osp.sep)))
    backend = get_file_backend(folder, backend_args=hook.backend_args)
    return Path(folder) if isinstance(backend, LocalBackend) else None
