import tempfile
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch.multiprocessing import start_processes

import mmkd_video.losses as losses
from mmkd_video.functional import gather_batch


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.nn.Linear]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    teacher = torch.randn(6, 5, generator=generator, dtype=torch.float64)
    torch.manual_seed(0)
    return inputs, teacher, torch.nn.Linear(4, 5).double()


def run(rank: int, folder: str, names: list[str]) -> None:
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    results = {}
    for name in names:
        inputs, teacher, model = batch()
        mine = slice(3 * rank, 3 * rank + 3)
        value = getattr(losses, name)(gather=True)(model(inputs[mine]), teacher[mine])
        value.backward()
        gradient = model.weight.grad / 2  # DDP averages
        dist.all_reduce(gradient)
        results[name] = (value.detach(), gradient)
    if rank == 0:
        torch.save(results, Path(folder) / 'results.pt')
    dist.destroy_process_group()


def test_two_processes_equal_one_on_the_joined_batch() -> None:
    names = ['SPLoss', 'CCLoss', 'RKDLoss', 'PKTLoss', 'DISTLoss', 'MDSLoss', 'LLELoss', 'IsomapLoss']
    with tempfile.TemporaryDirectory() as folder:
        start_processes(run, (folder, names), nprocs=2, start_method='fork')
        results = torch.load(Path(folder) / 'results.pt')
    for name in names:
        inputs, teacher, model = batch()
        value = getattr(losses, name)()(model(inputs), teacher)
        value.backward()
        assert results[name][0].item() == pytest.approx(value.item(), rel=1e-10), name
        assert torch.allclose(results[name][1], model.weight.grad, rtol=1e-8, atol=1e-12), name


def test_one_process_gets_its_own_batch() -> None:
    tensor = torch.zeros(2, 3)
    assert gather_batch(tensor) is tensor
