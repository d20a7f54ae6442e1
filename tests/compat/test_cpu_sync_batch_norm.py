import pytest
import torch

from mmkd_video.compat import cpu_sync_batch_norm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(torch.cuda.is_available(), reason='this machine has a GPU: the break does not bite'),
]

# Each rank gets a part of one batch, of another size; together they must behave as one process with the whole batch.
TRAIN = """
import os
import torch
{first}
import mmengine.model
torch.distributed.init_process_group('gloo')
rank = torch.distributed.get_rank()
torch.manual_seed(0)
whole = torch.randn(5, 3, 2, 2, 2, dtype=torch.float64) * 3 + 1
weights = torch.randn_like(whole)
reference, norm = torch.nn.BatchNorm3d(3).double(), torch.nn.SyncBatchNorm(3).double()
wrapped = torch.nn.parallel.DistributedDataParallel(norm, broadcast_buffers=False)
whole.requires_grad_()
(reference(whole) * weights).sum().backward()
part = slice(0, 2) if rank == 0 else slice(2, 5)
mine = whole.detach()[part].clone().requires_grad_()
output = wrapped(mine)
(output * weights[part]).sum().backward()
torch.testing.assert_close(output, reference.train()(whole.detach())[part])
torch.testing.assert_close(mine.grad, whole.grad[part])
torch.testing.assert_close(2 * norm.weight.grad, reference.weight.grad)
torch.testing.assert_close(2 * norm.bias.grad, reference.bias.grad)
fresh = torch.nn.BatchNorm3d(3).double()
fresh(whole.detach())
for name, buffer in fresh.named_buffers():
    torch.testing.assert_close(dict(norm.named_buffers())[name], buffer)
torch.testing.assert_close(norm.eval()(mine), fresh.eval()(mine))
half = torch.nn.SyncBatchNorm(3)(mine.detach().bfloat16())
assert half.dtype == torch.bfloat16 and half.isfinite().all()
torch.distributed.barrier()
os._exit(0)  # gloo sometimes aborts an interpreter that is taken down: see compat/gloo_exit.py
"""


def test_two_cpu_ranks_fail_without_and_equal_one_process_with(run_two_ranks):
    broken = run_two_ranks(TRAIN.format(first=''))
    if broken.returncode:
        assert 'SyncBatchNorm layers only work with GPU modules' in broken.stderr
    done = run_two_ranks(TRAIN.format(first='import mmkd_video'))
    assert done.returncode == 0, done.stderr


def test_stands_aside_outside_distributed_training():
    calls = []
    forward = cpu_sync_batch_norm._on_cpu_too(lambda self, input: calls.append(input) or input)
    inputs = torch.zeros(2, 3)
    assert forward(torch.nn.SyncBatchNorm(3), inputs) is inputs
    assert len(calls) == 1


def test_torch_is_patched_only_with_mmengines_ddp(run_python):
    done = run_python("""
        import torch
        before = torch.nn.SyncBatchNorm.forward
        import sys, types
        package = types.ModuleType('mmkd_video')
        package.__path__ = ['mmkd_video']
        sys.modules['mmkd_video'] = package
        import mmkd_video.compat
        print(torch.nn.SyncBatchNorm.forward is before)
        import mmengine.model.wrappers
        print(torch.nn.SyncBatchNorm.forward is before)
    """)
    assert done.stdout.split() == ['True', 'False'], done.stderr
