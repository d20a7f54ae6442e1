"""Bytes that one rank of a training sends, measured in a process of its own (``python -m`` this module)."""

import json
import os
import socket
import struct
import sys
from collections.abc import Mapping

import torch
import torch.distributed as dist
from mmengine.model.wrappers import MMDistributedDataParallel

import mmkd_video  # noqa: F401  the stack must be mended before a model is built
from mmkd_video.core.mistakes import WorkFailedError
from mmkd_video.workflows.measure.pair import BenchmarkPair
from mmkd_video.workflows.measure.training_memory import PLAIN

WARMUP, STEPS = 2, 3  # DDP sorts its buckets anew after the first step
ACKNOWLEDGED = 120  # place of tcpi_bytes_acked in Linux's struct tcp_info


def bytes_acknowledged() -> int:
    """Return the bytes that the other sides have received from this process, over all of its TCP connections.

    Raises:
        RuntimeError: This system does not count them.
    """
    if not hasattr(socket, 'TCP_INFO') or not os.path.isdir('/proc/self/fd'):
        raise WorkFailedError('bytes of connections are counted on Linux only')
    total = 0
    for name in os.listdir('/proc/self/fd'):
        try:
            if not os.readlink(f'/proc/self/fd/{name}').startswith('socket:'):
                continue
            with socket.socket(fileno=os.dup(int(name))) as connection:
                told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        except OSError:  # closed meanwhile, or no TCP connection
            continue
        if len(told) < ACKNOWLEDGED + 8:
            raise WorkFailedError(f'this system tells {len(told)} bytes about a connection, which lack what was sent')
        total += struct.unpack_from('Q', told, ACKNOWLEDGED)[0]
    return total


def measure_sent_bytes(job: Mapping) -> dict[str, int]:
    """Train a few steps as one rank.

    Args:
        job: ``pair`` (arguments of ``BenchmarkPair.load``), ``variant`` (``'student'``, ``'logits'``, ``'features'``)
            and ``threads``. Rank, number of ranks and meeting place stand in the environment, as torchrun sets them.

    Returns:
        ``sent``: bytes of one step; ``trained``: bytes of the gradients; ``frozen``: bytes of the teachers' weights.
    """
    torch.set_num_threads(job['threads'])
    dist.init_process_group('gloo')
    pair, alone = BenchmarkPair.load(**job['pair']), job['variant'] == PLAIN
    batch = pair.batch(views=not alone)
    model = pair.plain() if alone else pair.distiller(job['variant'])
    wrapper = pair.wrap(model)
    if not alone:
        model.set_progress(0, 0, 1, 1)
    parallel = MMDistributedDataParallel(model, broadcast_buffers=False)
    for _ in range(WARMUP):
        parallel.train_step(batch, wrapper)
    before = _after_all()
    for _ in range(STEPS):
        parallel.train_step(batch, wrapper)
    sent = (_after_all() - before - _of_a_meeting()) // STEPS
    trained = sum(each.numel() * each.element_size() for each in model.parameters() if each.requires_grad)
    teachers = [] if alone else [part for each in model.teachers.values() for part in each.parts.values()]
    frozen = sum(each.numel() * each.element_size() for teacher in teachers for each in teacher.module.parameters())
    return dict(sent=sent, trained=trained, frozen=frozen)


def _after_all() -> int:
    """Return the bytes once every rank has come here, so that none is on its way."""
    dist.barrier()
    return bytes_acknowledged()


def _of_a_meeting() -> int:
    before = _after_all()
    return _after_all() - before


def main(text: str) -> None:
    """Train and print the numbers."""
    print(json.dumps(measure_sent_bytes(json.loads(text))), flush=True)
    dist.barrier()
    os._exit(0)  # gloo sometimes aborts an interpreter that is taken down: see compat/gloo_exit.py


if __name__ == '__main__':
    main(sys.argv[1])
