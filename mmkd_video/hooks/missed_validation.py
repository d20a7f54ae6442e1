"""The validation that a checkpoint was written before."""

from mmengine.runner import IterBasedTrainLoop, Runner


def validate_if_missed(runner: Runner, seen: int) -> None:
    """Validate before a resumed training goes on, where the checkpoint was written before the validation of its epoch.

    MMEngine writes the checkpoint of an epoch before the validation that is due after it, and a resumed training leaves
    that one out. A hook that decides by validations would then decide otherwise than without the interruption.

    Args:
        runner: Runner before its first iteration.
        seen: Epochs (iterations, in a loop over these) that were done at the last validation that the hook saw.
    """
    if runner._resume and seen < training_position(runner) and _is_due(runner):
        runner.logger.info('the checkpoint was written before the validation that was due; it is done now')
        runner.val_loop.run()


def training_position(runner: Runner) -> int:
    """Return how many epochs are done, or iterations in a loop over these."""
    return runner.iter if isinstance(runner.train_loop, IterBasedTrainLoop) else runner.epoch


def _is_due(runner: Runner) -> bool:
    loop, done = runner.train_loop, training_position(runner)
    if runner.val_loop is None or done < loop.val_begin:
        return False
    last = loop.max_iters if isinstance(loop, IterBasedTrainLoop) else loop.max_epochs
    return done % loop.val_interval == 0 or done == last
