"""A head that scores every frame."""

import pytest
import torch
from mmaction.structures import ActionDataSample

from mmkd_video.models import FrameHead


def sample(*labels):
    return ActionDataSample().set_gt_label(torch.tensor(labels))


def test_frames_in_a_row_and_maps_of_clips_are_scored_alike():
    head = FrameHead(4, 6)
    x = torch.randn(2, 6, 5, 2, 2)
    scores = head(x)
    assert scores.shape == (2, 5, 4)
    assert torch.allclose(scores, head(x.transpose(1, 2).flatten(0, 1), num_segs=5), atol=1e-6)
    assert torch.allclose(scores[1, 3], head.fc_cls(x[1, :, 3].mean((1, 2))), atol=1e-6)


def test_a_backbone_that_halves_time_is_interpolated():
    head = FrameHead(4, 6, num_frames=4)
    x = torch.randn(1, 6, 2, 1, 1)
    first, last = (head.fc_cls(x[0, :, each, 0, 0]) for each in (0, 1))
    expected = torch.stack([first, 0.75 * first + 0.25 * last, 0.25 * first + 0.75 * last, last])
    assert torch.allclose(head(x)[0], expected, atol=1e-5)


def test_losses_in_closed_form_leave_out_frames_without_a_class():
    head = FrameHead(2, 3, smoothing=0.5)
    scores = torch.zeros(1, 3, 2)
    scores[0, 1, 0] = 9.0
    found = head.loss_by_feat(scores, [sample(0, -1, 1)])
    assert found['loss_cls'].item() == pytest.approx(torch.tensor(2.0).log().item())
    assert found['top1_acc'].item() == 0.5
    log = scores.log_softmax(-1)
    change = ((log[:, 1:] - log[:, :-1]) ** 2).clamp(max=16.0)
    assert change.max() == 16.0 and found['loss_smooth'].item() == pytest.approx(0.5 * change.mean().item())


def test_the_frame_before_is_a_target():
    scores = torch.randn(1, 2, 3, requires_grad=True)
    FrameHead(3, 3).loss_by_feat(scores, [sample(0, 0)])['loss_smooth'].backward()
    assert scores.grad[0, 0].abs().max() == 0 and scores.grad[0, 1].abs().max() > 0


def test_clips_without_any_class_give_a_loss_of_zero():
    scores = torch.randn(1, 2, 3, requires_grad=True)
    (loss,) = FrameHead(3, 3).loss_by_feat(scores, [sample(-1, -1)]).values()
    loss.backward()
    assert loss.item() == 0 and scores.grad.abs().max() == 0


def test_clips_of_a_sample_follow_each_other_in_time():
    head, scores = FrameHead(3, 3), torch.randn(4, 5, 3)
    first, second = head.predict_by_feat(scores, [ActionDataSample(), ActionDataSample()])
    assert first.pred_score.shape == (10, 3) and second.pred_label.shape == (10,)
    assert torch.allclose(second.pred_score[7], scores[3, 2].softmax(0))


def test_another_number_of_labels_is_named():
    with pytest.raises(ValueError, match='got 1 labels of a clip of 5 frames; expected one for each: put LoadFrameL'):
        FrameHead(3, 3).loss_by_feat(torch.zeros(1, 5, 3), [sample(2)])
