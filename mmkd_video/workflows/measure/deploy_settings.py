"""How a deployment benchmark measures, where nothing else is said."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mmkd_video.workflows.measure.deploy_candidates import CALIBRATION
from mmkd_video.workflows.measure.random_models import CLIPS

USUAL = dict(rounds=30, max_rounds=100, batch_size=8, clips=1000, calibration=CALIBRATION)
USUAL_RANDOM = dict(rounds=10, max_rounds=20, batch_size=2, clips=0, calibration=CLIPS['train'])
WARMUP = 3


@dataclass(frozen=True)
class DeploySettings:
    """How models are measured in their runtimes.

    Args:
        threads: Numbers of CPU threads; everything is measured with each.
        rounds: Fewest rounds; each measures every model in every runtime once.
        max_rounds: Most rounds of one clip and of two; they are added until the ratios are narrow enough.
        batch_size: Number of clips in a batch, for the throughput.
        clips: Number of test clips for the accuracy; 0 for none.
        calibration: Number of training clips from which int8 files take their ranges.
        warmup: Number of rounds before the measured ones.
        memory: Whether memory is measured.
    """

    threads: tuple[int, ...]
    rounds: int
    max_rounds: int
    batch_size: int
    clips: int
    calibration: int
    warmup: int = WARMUP
    memory: bool = True


def usual_threads() -> tuple[int, ...]:
    """Return the numbers of threads that are measured by default: one, and PyTorch's."""
    return tuple(sorted({1, torch.get_num_threads()}))


def settings_for(
    random_weights: bool = False,
    *,
    threads: Sequence[int] | None = None,
    rounds: int | None = None,
    max_rounds: int | None = None,
    batch_size: int | None = None,
    clips: int | None = None,
    calibration: int | None = None,
    warmup: int = WARMUP,
    memory: bool = True,
) -> DeploySettings:
    """Return what was asked for, and the usual numbers for what was left open.

    Args:
        random_weights: Whether the weights are random, so that less has to be measured.
        threads: Numbers of CPU threads.
        rounds: Fewest rounds.
        max_rounds: Most rounds of small batches.
        batch_size: Number of clips in a batch.
        clips: Number of test clips for the accuracy.
        calibration: Number of training clips for int8.
        warmup: Number of rounds before the measured ones.
        memory: Whether memory is measured.
    """
    asked = dict(rounds=rounds, max_rounds=max_rounds, batch_size=batch_size, clips=clips, calibration=calibration)
    chosen = (USUAL_RANDOM if random_weights else USUAL) | {key: n for key, n in asked.items() if n is not None}
    return DeploySettings(tuple(threads or usual_threads()), **chosen, warmup=warmup, memory=memory)
