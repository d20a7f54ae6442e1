from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing import start_processes

from mmkd_video.hooks.rank_statistics import gather_statistics, take_statistics


def on_two_ranks(rank: int, folder: str) -> None:
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    model, resumed = (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)) for _ in range(2))
    model(torch.full((3, 2), float(rank)) + torch.arange(3.0)[:, None])
    gathered = gather_statistics(model)
    assert len(gathered) == 2
    take_statistics(resumed, gathered)
    same = all(torch.equal(resumed[1].state_dict()[key], value) for key, value in model[1].state_dict().items())
    take_statistics(resumed, gathered[:1])  # of a run with another number of processes
    torch.save([same, gathered[rank]['1.running_mean'], resumed[1].running_mean], Path(folder, f'{rank}.pth'))
    dist.destroy_process_group()


def test_every_rank_gets_its_own_back(tmp_path):
    start_processes(on_two_ranks, (str(tmp_path),), nprocs=2, start_method='fork')
    (same, mine, kept), (other_same, others, _) = (torch.load(tmp_path / f'{rank}.pth') for rank in range(2))
    assert same and other_same
    assert torch.equal(mine, kept) and not torch.equal(mine, others)


def test_one_process_has_nothing_to_gather():
    assert gather_statistics(nn.BatchNorm1d(2)) is None
