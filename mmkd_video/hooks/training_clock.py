"""The time that a training took, over all its interruptions."""

import time

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmkd_video.hooks.cpu_time import cpu_seconds

META_KEY = 'training_seconds'
CPU_META_KEY = 'training_cpu_seconds'


class TrainingClock(Hook):
    """Counts seconds of training without validation, of the wall clock and of the CPUs, and keeps them in the
    checkpoints' ``meta``.

    Work that is lost by a kill is counted once: a resumed training goes on from its checkpoint's count.
    """

    priority = 'VERY_HIGH'  # before the hook that starts the validation's work

    def __init__(self) -> None:
        self._counted = self._counted_cpu = 0.0
        self._since: float | None = None
        self._since_cpu: float | None = None
        self.started = False  # once everything is built

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return self._counted + (time.perf_counter() - self._since if self._since is not None else 0.0)

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds so far, of this process and its loaders' workers."""
        return self._counted_cpu + (cpu_seconds() - self._since_cpu if self._since_cpu is not None else 0.0)

    def before_train(self, runner: Runner) -> None:
        """Start."""
        self.started = True
        self._start_counting()

    def before_val(self, runner: Runner) -> None:
        """Pause."""
        self._stop_counting()

    def after_val(self, runner: Runner) -> None:
        """Go on."""
        self._start_counting()

    def after_train(self, runner: Runner) -> None:
        """Stop."""
        self._stop_counting()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the times to the checkpoint."""
        checkpoint['meta'].update({META_KEY: self.seconds, CPU_META_KEY: self.cpu_seconds})

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Continue from the times of the training that is resumed."""
        if runner._resume:
            meta = checkpoint.get('meta', {})
            self._counted, self._counted_cpu = meta.get(META_KEY, 0.0), meta.get(CPU_META_KEY, 0.0)

    def _start_counting(self) -> None:
        self._since, self._since_cpu = time.perf_counter(), cpu_seconds()

    def _stop_counting(self) -> None:
        self._counted, self._since = self.seconds, None
        self._counted_cpu, self._since_cpu = self.cpu_seconds, None
