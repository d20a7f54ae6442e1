"""Peak memory of this process."""

import sys
from contextlib import suppress
from pathlib import Path

import torch

_STATUS = Path('/proc/self/status')
_CLEAR = Path('/proc/self/clear_refs')


def peak_memory(device: str | torch.device = 'cpu') -> int:
    """Return the most memory that this process has held so far, in bytes.

    On a CPU it is the peak of the resident set. Linux is asked for ``VmHWM``, because ``getrusage`` hands a parent's
    peak on to the processes it starts. On a GPU it is what PyTorch's allocator has held in tensors.

    Args:
        device: ``'cpu'`` or a CUDA device.
    """
    device = torch.device(device)
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device)
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith('VmHWM:'))
        return int(line.split()[1]) * 1024
    import resource  # POSIX only

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == 'darwin' else peak * 1024


def restart_peak() -> int:
    """Let :func:`peak_memory` of this process count from here, where the system can.

    Linux forgets the peak of the resident set (``VmHWM``) on request. Elsewhere the peak so far stays, and with it what
    was needed only while libraries were loaded.

    Returns:
        What it counts from, in bytes.
    """
    with suppress(OSError):
        _CLEAR.write_text('5')
    return peak_memory()
