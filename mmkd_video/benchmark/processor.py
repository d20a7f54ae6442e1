"""The features of a processor that determine the speed of a network."""

import platform
from pathlib import Path

from mmkd_video.benchmark.load_watch import usable_processors

CPU_INFO = Path('/proc/cpuinfo')
INSTRUCTIONS = (
    'avx2', 'avx512f', 'avx512_vnni', 'avx_vnni', 'avx512_bf16', 'avx512_fp16', 'amx_int8', 'amx_bf16', 'asimddp',
    'bf16', 'i8mm', 'sve',
)  # fmt: skip


def describe_processor() -> str:
    """Return the kind of processor, how many this process may use, and the instruction sets for int8 and bf16."""
    return f'{platform.machine()}, {len(usable_processors())} logical cores, {_instructions()}'


def _instructions() -> str:
    if not CPU_INFO.exists():
        return 'instruction sets not known'
    lines = (line.split(':', 1) for line in CPU_INFO.read_text().splitlines() if ':' in line)
    flags = next((value.split() for key, value in lines if key.strip() in ('flags', 'Features')), [])
    return ' '.join(flag for flag in INSTRUCTIONS if flag in flags) or 'none of ' + ' '.join(INSTRUCTIONS)
