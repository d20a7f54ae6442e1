"""The checkpoint from which a training is resumed."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from mmkd_video.compat import safe_load
from mmkd_video.core.mistakes import MissingFileError, WrongValueError

NEEDED = ('meta', 'state_dict', 'message_hub')
LENGTH, RANKS, SAMPLES = 'iters_per_epoch', 'ranks', 'num_samples'  # in a checkpoint's meta
PARTS = dict(meta=dict, state_dict=dict, message_hub=dict, pruning_base=int, rank_statistics=list)
META = dict(epoch=int, iter=int, iters_per_epoch=int, ranks=int, num_samples=int, validation_owed=bool)
META |= dict(training_seconds=float, training_cpu_seconds=float)  # the types of what hooks read
_WORDS = {dict: 'a dict', list: 'a list', bool: 'True or False', int: 'a whole number', float: 'a number'}


@dataclass(frozen=True)
class ResumePoint:
    """The conditions under which a training can be resumed from a checkpoint.

    Args:
        work_dir: The run's folder; holds ``last_checkpoint``.
        patterns: Folder and name template (``epoch_{}.pth``) of each checkpoint hook.
        iters_per_epoch: Iterations of one epoch when the loop goes by epochs; None for an iteration loop, which takes
            any checkpoint.
        within_epochs: Whether a loop by epochs can go on within one; otherwise only checkpoints at the end of an epoch
            count. Those that do not say how long their epochs were never count within one.
        needs_optimizer: Whether the run saves its optimizer, so that a checkpoint without it is not complete.
        ranks: Number of processes. Of another number than a checkpoint's, its epochs count, not its iterations.
        num_samples: Number of samples of the training data, which must then be the same.
    """

    work_dir: Path
    patterns: list[tuple[Path, str]] = field(default_factory=list)
    iters_per_epoch: int | None = None
    needs_optimizer: bool = True
    within_epochs: bool = False
    ranks: int = 1
    num_samples: int | None = None

    def check(self, path: Path) -> None:
        """Refuse a checkpoint that the user named if the training cannot be resumed from it.

        Args:
            path: The checkpoint.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It cannot be read, lacks a part, or was saved within an epoch.
        """
        if not path.is_file():
            raise MissingFileError(f'Cannot resume from {path}: no such file.')
        reason = self._obstacle(path)[0]
        if reason is not None:
            raise WrongValueError(
                f'Cannot resume from {path}: {reason}. Name another checkpoint, or none to take the newest.'
            )

    def find(self) -> Path | None:
        """Return the newest checkpoint that is whole, starting with the one that ``last_checkpoint`` names.

        Each one that is passed over is logged with its name and the reason.

        Returns:
            The checkpoint, or None when the training has not reached its first one.

        Raises:
            ValueError: There are checkpoints, but training cannot go on from any of them.
        """
        refused: list[tuple[Path, str]] = []
        early = True
        for path in self._candidates():
            reason, in_first_epoch = self._obstacle(path)
            if reason is None:
                return path
            print_log(f'Not resuming from {path}: {reason}. Trying the one before.', 'current', logging.WARNING)
            refused.append((path, reason))
            early = early and in_first_epoch
        if not early:
            lines = '\n'.join(f'  {path}: {reason}' for path, reason in refused)
            raise WrongValueError(
                f'Cannot resume in {self.work_dir}: none of its checkpoints serves.\n{lines}\n'
                'Train without --resume to start anew, or choose another --work-dir.'
            )
        return None

    def _candidates(self) -> list[Path]:
        last = self._last_checkpoint()
        last_step = None if last is None else self._step(last)
        steps: dict[Path, int] = {}
        for folder, template in self.patterns:
            for path in folder.glob(template.replace('{}', '*')):
                step = self._step(path)
                # Files beyond the last one belong to an older run in the same folder.
                if step is not None and (last_step is None or step < last_step):
                    steps[path] = step
        older = sorted(steps, key=lambda path: (steps[path], path.stat().st_mtime_ns), reverse=True)
        return [last, *older] if last is not None and last.exists() else older

    def _last_checkpoint(self) -> Path | None:
        try:
            named = (self.work_dir / 'last_checkpoint').read_text().strip()
        except (OSError, UnicodeDecodeError):
            return None
        if not named:
            return None
        path = Path(named)
        moved = self.work_dir / path.name
        return moved if not path.exists() and moved.exists() else path

    def _step(self, path: Path) -> int | None:
        for _, template in self.patterns:
            match = re.fullmatch(re.escape(template).replace(r'\{\}', r'(\d+)'), path.name)
            if match:
                return int(match.group(1))
        return None

    def _obstacle(self, path: Path) -> tuple[str | None, bool]:
        """Return why training cannot be resumed from a file (None if it can), and whether it merely lies in epoch 0."""
        try:
            checkpoint = safe_load.load(path)
        except (OSError, safe_load.UnsafeCheckpointError, safe_load.UnreadableCheckpointError) as error:
            text = (str(error).strip().splitlines() or ['no message'])[0]
            return text.replace(f'{path} cannot be read', 'it cannot be read').removeprefix(f'{path}: '), False
        needed = (*NEEDED, 'optimizer') if self.needs_optimizer else NEEDED
        missing = [key for key in needed if not isinstance(checkpoint, dict) or key not in checkpoint]
        if missing:
            return f'it is no complete training checkpoint (it lacks {", ".join(missing)})', False
        odd = _wrong_type(checkpoint, PARTS) or _wrong_type(checkpoint['meta'], META, 'meta.')
        return (odd, False) if odd else self._within_epoch(checkpoint['meta'])

    def _within_epoch(self, meta: dict) -> tuple[str | None, bool]:
        missing = [key for key in ('epoch', 'iter') if key not in meta]
        if missing:
            return f'its meta lacks {", ".join(missing)}', False
        epoch, iteration = meta['epoch'], meta['iter']
        if self.iters_per_epoch is None or iteration == epoch * self.iters_per_epoch:
            return None, False
        done = iteration - epoch * self.iters_per_epoch
        same = meta.get(LENGTH) == self.iters_per_epoch
        if self.within_epochs and same and 0 < done <= self.iters_per_epoch:
            return None, False
        if self._is_of_other_ranks(meta):
            return None, False
        reason = (
            f'it was saved after {epoch} epochs and {iteration} iterations, but {epoch} epochs of this run are '
            f'{epoch * self.iters_per_epoch} iterations, and a loop over epochs goes on only from the end of one '
            '(saved within an epoch by another number of processes, or with another data set or batch size)'
        )
        return reason, epoch == 0

    def _is_of_other_ranks(self, meta: dict) -> bool:
        """Tell whether a checkpoint was saved at the end of an epoch of these samples by more or fewer processes."""
        told = all(meta.get(key) for key in (LENGTH, RANKS, SAMPLES))
        others = told and meta[RANKS] != self.ranks and meta[SAMPLES] == self.num_samples
        return others and meta['iter'] == meta['epoch'] * meta[LENGTH]


def _wrong_type(found: Mapping[str, Any], types: Mapping[str, type], where: str = '') -> str | None:
    """Return an error message for a value of another type than hooks expect, or a number below zero; else None."""
    for key, kind in types.items():
        value = found.get(key)
        fits = isinstance(value, (int, float) if kind is float else kind) and (
            kind is bool or not isinstance(value, bool)
        )
        if key in found and not (fits and (kind not in (int, float) or value >= 0)):
            return f'it says {where}{key}={value!r:.40}; expected {_WORDS[kind]}'
    return None
