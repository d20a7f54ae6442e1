"""Timing of several callables side by side."""

import gc
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch


@dataclass
class Timings:
    """What one callable took, round by round.

    Attributes:
        wall: Seconds that passed.
        cpu: CPU seconds of the whole process, all threads together; time in which others had the cores is not in it.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def measure_interleaved(
    variants: Mapping[str, Callable[[], object]],
    rounds: int,
    warmup: int = 3,
    seed: int = 0,
    device: str | torch.device = 'cpu',
    progress: Callable[[int, int], None] | None = None,
    settle: int = 0,
) -> dict[str, Timings]:
    """Call every variant once a round, in an order drawn anew each round.

    What disturbs a machine for longer than a round disturbs all variants alike, and none always follows the same other.
    Garbage is collected before each call and never during one.

    Args:
        variants: Name to callable.
        rounds: Measured rounds, at least 1.
        warmup: Rounds before that which are not measured.
        seed: Of the orders.
        device: Where the work runs; a CUDA device is waited for at both ends of a call.
        progress: Called with (rounds done, rounds in all).
        settle: Calls right before each measured one, so that it finds its own data and code in the caches and its
            threads awake: how a variant runs that has a machine to itself. Some ten calls of a millisecond do it.

    Returns:
        Timings by name, the i-th of each from the same round.

    Raises:
        ValueError: No variants, or ``rounds`` below 1.
    """
    if not variants or rounds < 1:
        raise ValueError(f'got {len(variants)} variants and rounds={rounds}; expected at least one of each')
    orders = random.Random(seed)
    timings = {name: Timings() for name in variants}
    collecting = gc.isenabled()
    gc.disable()
    gc.collect()
    gc.freeze()  # what is there already is not looked through before every call
    try:
        for index in range(-warmup, rounds):
            for name in orders.sample(list(variants), len(variants)):
                gc.collect()
                for _ in range(settle):
                    variants[name]()
                wall, cpu = _time_once(variants[name], torch.device(device))
                if index >= 0:
                    timings[name].wall.append(wall)
                    timings[name].cpu.append(cpu)
            if progress is not None and index >= 0:
                progress(index + 1, rounds)
    finally:
        gc.unfreeze()
        if collecting:
            gc.enable()
    return timings


def _time_once(call: Callable[[], object], device: torch.device) -> tuple[float, float]:
    _wait_for(device)
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    _wait_for(device)
    return time.perf_counter() - wall, time.process_time() - cpu


def _wait_for(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
