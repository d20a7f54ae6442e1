"""How long a training took, over all its interruptions."""

import time

from mmengine.hooks import Hook
from mmengine.runner import Runner

META_KEY = 'training_seconds'


class TrainingClock(Hook):
    """Counts wall-clock seconds of training without validation, and keeps them in the checkpoints' ``meta``.

    Work that is lost by a kill is counted once: a resumed training goes on from its checkpoint's count.
    """

    priority = 'VERY_HIGH'  # before the hook that starts the validation's work

    def __init__(self) -> None:
        self._counted = 0.0
        self._since: float | None = None
        self.started = False  # once everything is built

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return self._counted + (time.perf_counter() - self._since if self._since is not None else 0.0)

    def before_train(self, runner: Runner) -> None:
        """Start."""
        self.started, self._since = True, time.perf_counter()

    def before_val(self, runner: Runner) -> None:
        """Pause."""
        self._pause()

    def after_val(self, runner: Runner) -> None:
        """Go on."""
        self._since = time.perf_counter()

    def after_train(self, runner: Runner) -> None:
        """Stop."""
        self._pause()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Write the count down."""
        checkpoint['meta'][META_KEY] = self.seconds

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take up the count of the training that is resumed."""
        if runner._resume:
            self._counted = checkpoint.get('meta', {}).get(META_KEY, 0.0)

    def _pause(self) -> None:
        self._counted, self._since = self.seconds, None
