"""Where a score was measured: what decides its rounding."""

import os

import torch


def describe_machine(device: str) -> dict[str, str | int]:
    """Return ``device``, ``threads`` and ``cpu``, the instruction set that torch computes with.

    Args:
        device: Kind of the device that the model is on.
    """
    return dict(
        device=device,
        threads=torch.get_num_threads(),
        cpu=os.environ.get('ATEN_CPU_CAPABILITY') or torch.backends.cpu.get_cpu_capability(),
    )
