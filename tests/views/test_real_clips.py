import mmkd_video  # noqa: F401  isort: skip  mends the imports below
from pathlib import Path

import pytest
import torch
from mmaction.datasets import VideoDataset
from mmengine.dataset import DefaultSampler, pseudo_collate
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from torch.utils.data import BatchSampler, DataLoader

from mmkd_video.datasets import KeyedBatchSampler, SeededDataset

CLIPS = Path(__file__).parents[3] / 'shared' / 'data' / 'ut_interaction'
pytestmark = pytest.mark.skipif(not CLIPS.is_dir(), reason='needs the UT-Interaction clips')
I3D = 'mmaction::recognition/i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py'
TSM = 'mmaction::recognition/tsm/tsm_imagenet-pretrained-mobilenetv2_8xb16-1x1x8-100e_kinetics400-rgb.py'


def dataset(pipeline):
    init_default_scope('mmaction')
    return VideoDataset(str(CLIPS / 'train.txt'), pipeline, dict(video=str(CLIPS / 'videos')), indices=4)


@pytest.fixture(scope='module')
def pipeline():
    return get_config(TSM).train_pipeline


def batches(pipeline, workers):
    data = dataset(pipeline)
    sampler = BatchSampler(DefaultSampler(data, shuffle=False, seed=0), 2, False)
    return list(
        DataLoader(
            SeededDataset(data, 0),
            batch_sampler=KeyedBatchSampler(sampler),
            num_workers=workers,
            collate_fn=pseudo_collate,
        )
    )


def test_a_real_pair_sees_one_moment_whatever_the_workers(pipeline):
    distill = [dict(type='DistillViews', student=pipeline, teacher=I3D)]
    plain, alone, shared = batches(pipeline, 0), batches(distill, 0), batches(distill, 2)
    for theirs, mine, again in zip(plain, alone, shared, strict=True):
        assert torch.equal(torch.stack(theirs['inputs']), torch.stack(mine['inputs']))
        teacher = torch.stack(mine['views']['teacher'])
        assert teacher.shape == (2, 1, 3, 32, 224, 224) and teacher.dtype == torch.uint8
        assert torch.equal(teacher, torch.stack(again['views']['teacher']))
        # The mean pictures of student and teacher show the same crop the same way round.
        student = torch.stack(mine['inputs']).float().mean(1)
        teacher = teacher[:, 0].float().mean(2)
        apart = (student - teacher).abs().mean((1, 2, 3))
        assert apart.max() < 10  # grey levels; without the crop or the flip it is over 12
