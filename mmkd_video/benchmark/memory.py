"""Peak memory of this process."""

import sys
from pathlib import Path

import torch

_STATUS = Path('/proc/self/status')


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
