"""Two processes train every loss as one process would: one gloo pair tries all of them, with DDP."""

import copy
import inspect
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from loss_cases import CASES, COVERED, LossCase
from torch import nn
from torch.multiprocessing import start_processes
from torch.nn.parallel import DistributedDataParallel

import mmkd_video.losses as losses

pytestmark = pytest.mark.slow
BATCH, RANKS = 8, 2
OF_BATCH_NORM = ('running_mean', 'running_var', 'num_batches_tracked')


def trials() -> Iterator[tuple[str, LossCase]]:
    """Yield every loss with its first case; with all processes' clips, a queue, and both, where the loss has them."""
    for name in COVERED:
        case, known = CASES[name][0], inspect.signature(getattr(losses, name)).parameters
        params = dict(case.params)
        yield name, LossCase(case.student, case.teacher, params, case.labels, case.extra).resized(BATCH)
        if 'gather' in known:
            params = {**params, 'gather': True}
            yield name, LossCase(case.student, case.teacher, params).resized(BATCH)
        if {'queue_size', 'gather'} <= set(known):
            channels = {'student_channels': case.student[1], 'teacher_channels': (case.teacher or case.student)[1]}
            for gather in (False, True):
                params = {**params, 'queue_size': 12, **channels, 'gather': gather}
                yield name, LossCase(case.student, case.teacher, params).resized(BATCH)


def label(name: str, case: LossCase) -> str:
    return '-'.join([name, *(key for key in ('gather', 'queue_size') if case.params.get(key))])


TRIALS = {label(name, case): (name, case) for name, case in trials()}


class Student(nn.Module):
    """One trained factor for each channel of each layer, before the loss."""

    def __init__(self, case: LossCase, loss: nn.Module) -> None:
        super().__init__()
        shapes = case.student if isinstance(case.student, list) else [case.student]
        sizes = [[1, shape[1], *[1] * (len(shape) - 2)] for shape in shapes]
        self.factors = nn.ParameterList(torch.linspace(0.5, 1.5, size[1]).double().view(size) for size in sizes)
        self.loss = loss

    def forward(self, student: list, teacher: list, keywords: dict) -> torch.Tensor:
        features = [feature * factor for feature, factor in zip(student, self.factors, strict=True)]
        if len(features) > 1:
            return self.loss(features, teacher, **keywords)
        return self.loss(features[0], teacher[0], **keywords)


def prepare(name: str, case: LossCase, rank: int | None = None) -> tuple[Student, tuple]:
    """Return a model in training whose banks and queues have seen a batch, and the joined batch."""
    model = Student(case, case.build(name).double()).train()
    student, teacher, keywords = case.inputs(seed=1, dtype=torch.float64)
    sides = [[side] if isinstance(side, torch.Tensor) else side for side in (student, teacher)]
    student, teacher = ([feature.detach() for feature in side] for side in sides)
    earlier = [feature.flip(0) for feature in student], [feature.flip(0) for feature in teacher], keywords
    with torch.no_grad():
        model(*(part_of(earlier, rank) if joins(case) and rank is not None else earlier))
    return model, (student, teacher, keywords)


def joins(case: LossCase) -> bool:
    """Tell whether the loss sees or keeps the clips of all processes."""
    return bool(case.params.get('gather') or case.params.get('queue_size'))


def part_of(batch: tuple, rank: int) -> tuple:
    student, teacher, keywords = batch
    mine = slice(rank * BATCH // RANKS, (rank + 1) * BATCH // RANKS)
    keywords = {key: value[mine] if isinstance(value, torch.Tensor) else value for key, value in keywords.items()}
    return [feature[mine] for feature in student], [feature[mine] for feature in teacher], keywords


def gradients(model: nn.Module) -> dict:
    return {key.removeprefix('module.'): p.grad.clone() for key, p in model.named_parameters() if p.requires_grad}


def run(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=RANKS)
    results = {}
    for key, (name, case) in TRIALS.items():
        model, batch = prepare(name, case, rank)
        wrapped = DistributedDataParallel(model)
        wrapped(*part_of(batch, rank)).backward()
        buffers = {place: tensor.clone() for place, tensor in model.named_buffers()}
        results[key] = {'gradients': gradients(wrapped), 'buffers': buffers}
        wrapped(*part_of(batch, rank)).backward()  # DDP finds here what the first step left without a gradient
    torch.save(results, Path(folder) / f'{rank}.pt')
    dist.barrier()
    os._exit(0)  # gloo sometimes aborts an interpreter that is taken down


@pytest.fixture(scope='module')
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    folder = str(tmp_path_factory.mktemp('ranks'))
    start_processes(run, (folder,), nprocs=RANKS, start_method='fork')
    return [torch.load(Path(folder) / f'{rank}.pt') for rank in range(RANKS)]


def expected(name: str, case: LossCase) -> tuple[dict, dict]:
    """Return gradients and buffers of one process: on the joined batch if the loss sees it, else the mean of halves.

    Buffers are those of a step on the joined batch; there are none to compare if the loss keeps nothing of it.
    """
    model, batch = prepare(name, case)
    parts = [batch] if case.params.get('gather') else [part_of(batch, rank) for rank in range(RANKS)]
    found = []
    for part in parts:
        each = copy.deepcopy(model)
        each(*part).backward()
        found.append(gradients(each))
    if joins(case) and len(parts) > 1:
        each = copy.deepcopy(model)
        each(*batch)
    buffers = dict(each.named_buffers()) if joins(case) else {}
    return {key: sum(each[key] for each in found) / len(found) for key in found[0]}, buffers


@pytest.mark.parametrize('key', TRIALS)
def test_averaged_gradients_are_those_of_one_process(key: str, ranks: list[dict]) -> None:
    alone, buffers = expected(*TRIALS[key])
    assert any(alone[name].abs().sum() > 0 for name in alone if name.startswith('factors'))
    for rank in range(RANKS):
        found = ranks[rank][key]['gradients']
        assert found.keys() == alone.keys()
        for name, gradient in alone.items():
            assert torch.allclose(found[name], gradient, rtol=1e-6, atol=1e-9), name
        assert all(torch.allclose(tensor, ranks[rank][key]['buffers'][name]) for name, tensor in buffers.items())


@pytest.mark.parametrize('key', TRIALS)
def test_banks_and_queues_agree_between_processes(key: str, ranks: list[dict]) -> None:
    first, second = (rank[key]['buffers'] for rank in ranks)
    kept = [name for name in first if not name.endswith(OF_BATCH_NORM)]
    assert all(torch.equal(first[name], second[name]) for name in kept)
    before, _ = prepare(*TRIALS[key])
    if 'queue' in key.lower() or key.startswith('CRD'):
        assert any(not torch.equal(tensor, first[name]) for name, tensor in before.named_buffers())


def test_every_loss_with_such_an_argument_is_tried_with_it() -> None:
    assert {name for name, _ in TRIALS.values()} == set(losses.__all__)
    assert {key for key in TRIALS if key.endswith('gather')} >= {'LaplacianLoss-gather', 'LTSALoss-gather'}
    manifold = ('LLELoss', 'LaplacianLoss', 'IsomapLoss', 'MDSLoss', 'LTSALoss')
    queued = {*manifold, 'SimilarityQueueLoss'}
    assert {key for key in TRIALS if key.endswith('Loss-queue_size')} == {f'{name}-queue_size' for name in queued}
