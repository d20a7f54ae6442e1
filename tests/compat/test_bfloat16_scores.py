import torch

from mmkd_video.compat import bfloat16_scores

HEAD = """
import sys
import torch
{prepare}
import mmaction.models
from mmaction.models.heads import I3DHead
from mmaction.structures import ActionDataSample
head = I3DHead(num_classes=3, in_channels=4, average_clips=None)
samples = [ActionDataSample().set_gt_label(1), ActionDataSample().set_gt_label(2)]
scores = torch.tensor([[0., 2., 1.], [3., 0., 1.]], dtype=torch.bfloat16, requires_grad=True)
losses = head.loss_by_feat(scores, samples)
losses['loss_cls'].backward()
print(losses['loss_cls'].dtype, scores.grad.dtype, losses['top1_acc'].item())
print(head.predict_by_feat(scores.detach(), samples)[0].pred_score.numpy().dtype)
"""
# The one patch that the head needs to be importable, without the rest of mmkd_video.
DRN_ONLY = """
import importlib.util, pathlib
path = pathlib.Path('mmkd_video/compat/missing_drn.py').resolve()
spec = importlib.util.spec_from_file_location('drn_only', path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.apply()
"""


def test_bfloat16_scores_break_the_head_without_and_not_with(breaks_without, healthy_with):
    breaks_without(HEAD.format(prepare=DRN_ONLY), 'BFloat16')
    out = healthy_with(HEAD.format(prepare=''))
    assert out.split()[-4:] == ['torch.float32', 'torch.bfloat16', '0.5', 'float32']


def test_other_dtypes_are_passed_on_as_they_are():
    seen = []
    patched = bfloat16_scores._in_float32(lambda self, scores, samples: seen.append(scores))
    for dtype in (torch.float32, torch.float16, torch.float64):
        scores = torch.zeros(1, 2, dtype=dtype)
        patched(None, scores, [])
        assert seen[-1] is scores
    patched(None, None, [])
    assert seen[-1] is None
