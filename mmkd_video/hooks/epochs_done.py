"""How far a training has come, in passes over its data."""

from mmengine.runner import Runner


def epochs_done(runner: Runner) -> int:
    """Return how many epochs are done; of a loop by iterations, how many passes over the data.

    Args:
        runner: Runner that trains.
    """
    length = len(runner.train_dataloader)
    return runner.epoch if runner.train_loop.max_epochs > 1 else runner.iter // max(length, 1)
