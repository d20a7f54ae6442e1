"""Several views in two processes of which one has a view that the other lacks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]
CODE = """
import copy, sys, torch, torch.distributed as dist
import mmkd_video, multi_view_models as small
from mmengine.dist import init_dist
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import init_default_scope

init_dist('pytorch', backend='gloo')
init_default_scope('mmaction')
rank = dist.get_rank()

def frozen_norms(model):
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.train = lambda mode=True: None
            module.training = False
    return model

model = frozen_norms(small.built(views=small.THREE, norms=dict(scene=small.RGB, person0='scene', person1='scene')))
model.train()
inputs = small.inputs_of(4, (3, 3, 3), tuple(small.THREE))
inputs['present'][:2, :2] = 0  # the first rank sees the scene alone
samples = small.batch_of(4)['data_samples']
alone = copy.deepcopy(model)
frozen_norms(alone)
alone.parse_losses(alone(dict(inputs), samples, mode='loss'))[0].backward()
wrapped = MMDistributedDataParallel(model)
for step in range(2):  # the second one waits for gradients that the first left out
    wrapped.zero_grad()
    mine = {name: each[2 * rank : 2 * rank + 2] for name, each in inputs.items()}
    model.parse_losses(wrapped(mine, samples[2 * rank : 2 * rank + 2], mode='loss'))[0].backward()
worst = max((one.grad - two.grad).abs().max().item() for one, two in zip(model.parameters(), alone.parameters()))
there = all(p.grad.abs().sum() > 0 for p in model.backbone.extractors.person0.parameters())
print(f'rank {rank} worst {worst:.1e} there {there}', flush=True)
sys.exit(0 if worst < 1e-5 and there else 1)
"""


@pytest.mark.slow
def test_two_ranks_have_the_gradients_of_one_process_where_one_rank_lacks_a_view(tmp_path):
    script = tmp_path / 'ranks.py'
    script.write_text(CODE)
    command = [sys.executable, '-W', 'ignore', '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2']
    environment = dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=f'{TESTS}{os.pathsep}{TESTS.parent}')
    done = subprocess.run([*command, str(script)], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-2000:]
    assert done.stdout.count('there True') == 2
