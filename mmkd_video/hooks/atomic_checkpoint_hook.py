"""MMEngine's CheckpointHook, with files that are written completely or not at all."""

import os
import re
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmkd_video.core.files.atomic import AtomicBackend, write_atomically
from mmkd_video.core.registry import HOOKS

INTERRUPTED = 'interrupted_{}.pth'  # by iteration
_BEST_NAME = re.compile(r'best_.+\.pth')


def interrupted_name(iteration: int | str) -> str:
    """Return the file name of a checkpoint that was written because a signal ended the training.

    Args:
        iteration: Number of the iteration after which it was written.
    """
    return INTERRUPTED.format(iteration)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """A CheckpointHook that never leaves a half file and never deletes a checkpoint before its successor is on disk.

    Arguments, file names and what is kept are those of :class:`mmengine.hooks.CheckpointHook`. On local disks each
    checkpoint is written to a temporary name, synced and renamed, ``last_checkpoint`` follows in the same way, and only
    then the outdated files go. Other storage (``s3://``) and MMEngine's FlexibleRunner are served as the base class
    does.
    """

    @classmethod
    def from_stock(cls, hook: CheckpointHook) -> 'AtomicCheckpointHook':
        """Take over the settings and the state of a stock hook.

        Args:
            hook: The hook to replace; unchanged.

        Returns:
            A hook that behaves like it.
        """
        atomic = cls.__new__(cls)
        atomic.__dict__.update(hook.__dict__)
        return atomic

    def before_train(self, runner: Runner) -> None:
        """Find the folder and whether it is on a local disk.

        Args:
            runner: The runner of the training.
        """
        _forget_odd_steps(runner.message_hub.runtime_info)
        super().before_train(runner)
        self._forget_foreign_best(runner.message_hub.runtime_info)
        if isinstance(runner, Runner) and type(self.file_backend) is LocalBackend:
            self.backend_args = dict(backend='mmkd_atomic')
            self.file_backend = AtomicBackend()

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        if not isinstance(self.file_backend, AtomicBackend):
            super()._save_checkpoint_with_step(runner, step, meta)
            return
        # The checkpoint carries the list of what is kept, so the list moves on first; the files follow at the end.
        self._advance_kept_steps(runner, step)
        filename = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, filename)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            filename,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            write_atomically(self.last_ckpt.encode(), Path(runner.work_dir, 'last_checkpoint'))
            self._remove_outdated()
            for folder in {str(runner.work_dir), self.out_dir}:
                for passed in Path(folder).glob(interrupted_name('*')):
                    passed.unlink(missing_ok=True)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        super()._save_best_checkpoint(runner, metrics)
        if isinstance(self.file_backend, AtomicBackend) and is_main_process():
            self._remove_outdated()

    def _forget_foreign_best(self, known: dict) -> None:
        """Drop a best checkpoint in another folder: MMEngine would remove the file that a checkpoint names as best."""
        if not self._is_ours(getattr(self, 'best_ckpt_path', None)):
            self.best_ckpt_path = None
            known.pop('best_ckpt', None)
        for indicator, path in getattr(self, 'best_ckpt_path_dict', {}).items():
            if not self._is_ours(path):
                self.best_ckpt_path_dict[indicator] = None
                known.pop(f'best_ckpt_{indicator}', None)

    def _is_ours(self, path: object) -> bool:
        if path is None:
            return True
        if not isinstance(path, str) or not _BEST_NAME.fullmatch(os.path.basename(path)):
            return False
        return os.path.abspath(os.path.dirname(path)) == os.path.abspath(self.out_dir)

    def _advance_kept_steps(self, runner: Runner, step: int) -> None:
        if self.max_keep_ckpts <= 0 or (self.keep_ckpt_ids and self.keep_ckpt_ids[-1] == step):
            return
        if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
            outdated = self.filename_tmpl.format(self.keep_ckpt_ids.popleft())
            if is_main_process():
                self.file_backend.remove(self.file_backend.join_path(self.out_dir, outdated))
        self.keep_ckpt_ids.append(step)
        runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))

    def _remove_outdated(self) -> None:
        best = [getattr(self, 'best_ckpt_path', None), *getattr(self, 'best_ckpt_path_dict', {}).values()]
        self.file_backend.remove_outdated(keep={self.last_ckpt, *best})


def _forget_odd_steps(known: dict) -> None:
    """Drop kept checkpoints that are no numbers: MMEngine would remove files that it names after them."""
    steps = known.get('keep_ckpt_ids')
    if steps is not None and not (isinstance(steps, list) and all(type(step) is int for step in steps)):
        del known['keep_ckpt_ids']
