import tempfile
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch.multiprocessing import start_processes

import mmkd_video.losses as losses
from mmkd_video.losses.gather import gather_batch


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
    names = [
        'SPLoss',
        'CCLoss',
        'RKDLoss',
        'PKTLoss',
        'DISTLoss',
        'MDSLoss',
        'LLELoss',
        'IsomapLoss',
        'LaplacianLoss',
        'LTSALoss',
    ]
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


def run_bank(rank: int, folder: str) -> None:
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    torch.manual_seed(0)
    loss = losses.CRDLoss(4, 5, num_samples=8, dim=3, num_negatives=4)
    torch.manual_seed(rank)
    for step in range(2):
        indices = torch.tensor([4 * rank + step, 4 * rank + step + 1])
        loss(torch.randn(2, 4), torch.randn(2, 5), indices=indices)
    torch.save({key: value for key, value in loss.named_buffers()}, Path(folder) / f'{rank}.pt')
    dist.destroy_process_group()


def test_the_bank_of_a_contrast_agrees_between_processes() -> None:
    with tempfile.TemporaryDirectory() as folder:
        start_processes(run_bank, (folder,), nprocs=2, start_method='fork')
        first, second = (torch.load(Path(folder) / f'{rank}.pt') for rank in range(2))
    torch.manual_seed(0)
    fresh = losses.CRDLoss(4, 5, num_samples=8, dim=3, num_negatives=4)
    for key in first:
        assert torch.equal(first[key], second[key]), key
    moved = (first['student_bank'] != fresh.student_bank).any(1)
    assert moved.nonzero().flatten().tolist() == [0, 1, 2, 4, 5, 6]


def run_unequal(rank: int, folder: str, equal_before: int) -> None:
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    try:
        for _ in range(equal_before):
            gather_batch(torch.zeros(2, 3))
        gather_batch(torch.zeros(2 + rank, 3))
        message = ''
    except ValueError as error:
        message = str(error)
    Path(folder, f'{rank}.txt').write_text(message)
    dist.destroy_process_group()


@pytest.mark.parametrize('equal_before', [0, 2])
def test_batches_of_differing_sizes_are_refused_whenever_they_come(equal_before) -> None:
    with tempfile.TemporaryDirectory() as folder:
        start_processes(run_unequal, (folder, equal_before), nprocs=2, start_method='fork')
        messages = [Path(folder, f'{rank}.txt').read_text() for rank in range(2)]
    assert messages[0] == messages[1]
    assert messages[0].startswith(
        'gather: got batches of [2, 3] clips on the 2 processes, expected equal ones; give all'
    )
    assert 'drop_last=True' in messages[0]
