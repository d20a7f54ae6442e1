import math

import pytest
import torch
import torch.nn.functional as F

from mmkd_video.functional import other_indices
from mmkd_video.losses import CRDLoss, FBKDLoss, MGDLoss, ParaphrasedFTLoss, SemCKDLoss, SRRLLoss, VIDLoss


def crd(**changes) -> CRDLoss:
    torch.manual_seed(0)
    return CRDLoss(
        **{'student_channels': 3, 'teacher_channels': 4, 'num_samples': 9, 'dim': 5, 'num_negatives': 6} | changes
    )


def test_vid_starts_as_a_gaussian_of_the_initial_variance() -> None:
    student, teacher = torch.randn(4, 3), torch.randn(4, 3)
    expected = 0.5 * (F.mse_loss(student, teacher) / 2 + math.log(2))
    assert VIDLoss(3, initial_variance=2.0)(student, teacher).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize('variance', [2e-5, 5.0, 1e3, 1e6])
def test_vid_starts_at_any_variance(variance: float) -> None:
    value = VIDLoss(2, initial_variance=variance)(torch.ones(3, 2), torch.ones(3, 2))
    assert value.item() == pytest.approx(0.5 * math.log(variance), rel=1e-4)


def test_trained_variance_of_vid_becomes_the_squared_error() -> None:
    error = torch.tensor([0.5, 2.0])
    loss = VIDLoss(2)
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        loss(error.expand(2, 2), torch.zeros(2, 2)).backward()
        optimizer.step()
    assert torch.allclose(F.softplus(loss.raw_variance[:, 0]), error**2, rtol=0.02)


def test_mgd_hides_a_place_in_all_frames() -> None:
    seen = []
    loss = MGDLoss(2, mask_ratio=0.5)
    loss.generator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    loss(torch.ones(2, 2, 4, 5, 5), torch.ones(2, 2, 4, 5, 5))
    hidden = seen[0] == 0
    assert 0 < hidden.float().mean() < 1
    assert (hidden == hidden[:, :1, :1]).all()


def test_mgd_mask_is_given_from_outside() -> None:
    loss, clip = MGDLoss(2), torch.randn(2, 2, 3, 4, 4)
    everything = torch.ones(2, 4, 4, dtype=torch.bool)
    assert torch.equal(loss(clip, clip, mask=everything), loss(2 * clip, clip, mask=everything))
    with pytest.raises(ValueError, match=r'mask: got shape \(4, 4\), expected \(N, H, W\) = \(2, 4, 4\)'):
        loss(clip, clip, mask=everything[0])


def test_srrl_asks_the_teachers_classifier() -> None:
    student, teacher, weight = torch.randn(2, 3), torch.randn(2, 3), torch.randn(4, 3)
    value = SRRLLoss()(student, teacher, teacher_head=lambda feature: feature @ weight.T)
    expected = F.mse_loss(student, teacher) + F.mse_loss(student @ weight.T, teacher @ weight.T)
    assert torch.allclose(value, expected)


@pytest.mark.parametrize('shape', [(2, 5, 3), (2, 3, 2, 4), (2, 3, 2, 2, 4)], ids=['tokens', 'image', 'clip'])
def test_srrl_compares_means_over_places(shape: tuple) -> None:
    """The authors' ``statm_loss``."""
    student, teacher, weight = torch.randn(shape), torch.randn(shape), torch.randn(4, 3)
    places = 1 if len(shape) == 3 else tuple(range(2, len(shape)))
    ours, theirs = student.mean(places), teacher.mean(places)
    value = SRRLLoss()(student, teacher, teacher_head=lambda feature: feature @ weight.T)
    expected = (ours - theirs).pow(2).mean(1).mean() + F.mse_loss(ours @ weight.T, theirs @ weight.T)
    assert torch.allclose(value, expected)


def test_crd_bank_follows_the_clips_of_training() -> None:
    loss, indices = crd(), torch.tensor([2, 7])
    before = loss.teacher_bank.clone()
    teacher = torch.randn(2, 4)
    loss(torch.randn(2, 3), teacher, indices=indices)
    moved = (loss.teacher_bank != before).any(1)
    assert moved.nonzero().flatten().tolist() == [2, 7]
    expected = F.normalize(before[indices] / 2 + F.normalize(loss.embed_teacher(teacher), dim=1) / 2, dim=1)
    assert torch.allclose(loss.teacher_bank[indices], expected, atol=1e-6)
    rested = loss.eval().teacher_bank.clone()
    loss(torch.randn(2, 3), teacher, indices=indices)
    assert torch.equal(loss.teacher_bank, rested)


def test_a_clip_that_comes_twice_counts_once_in_the_bank() -> None:
    loss, indices = crd(), torch.tensor([2, 7, 2])
    before = loss.student_bank.clone()
    student, teacher = torch.randn(3, 3), torch.randn(3, 4)
    loss(student, teacher, indices=indices)
    new = F.normalize(loss.embed_student(student), dim=1)
    expected = F.normalize(before[indices] / 2 + new / 2, dim=1)
    assert torch.allclose(loss.student_bank[[7, 2]], expected[1:], atol=1e-6)


def test_an_overflow_under_gradient_scaling_spoils_neither_bank_nor_constants() -> None:
    loss = crd()
    student, teacher = torch.randn(2, 3).half(), torch.randn(2, 4).half()
    before = loss.student_bank.clone()
    overflowed = torch.tensor([[1.0, 2.0, float('inf')], [1.0, 2.0, 3.0]]).half()
    assert loss(overflowed, teacher, indices=torch.tensor([2, 7])).isnan()
    assert torch.equal(loss.student_bank[2], before[2]) and not torch.equal(loss.student_bank[7], before[7])
    assert loss(student, teacher, indices=torch.tensor([2, 7])).isfinite()
    assert loss.log_partitions.isfinite().all()


def test_crd_goes_on_exactly_after_resume() -> None:
    loss, resumed = crd(), crd(momentum=0.5)
    batches = [(torch.randn(2, 3), torch.randn(2, 4), torch.tensor([i, i + 3])) for i in range(3)]
    for student, teacher, indices in batches[:2]:
        loss(student, teacher, indices=indices)
    resumed.load_state_dict(loss.state_dict())
    values = []
    for each in (loss, resumed):
        torch.manual_seed(1)
        values.append(each(batches[2][0], batches[2][1], indices=batches[2][2]))
    assert torch.equal(*values)


def test_crd_constants_are_those_of_the_first_batch() -> None:
    loss = crd()
    loss(torch.randn(2, 3), torch.randn(2, 4), indices=torch.tensor([0, 1]))
    first = loss.log_partitions.clone()
    loss(9 * torch.randn(2, 3), 9 * torch.randn(2, 4), indices=torch.tensor([2, 3]))
    assert first.isfinite().all() and torch.equal(loss.log_partitions, first)


def test_crd_never_draws_the_clip_itself() -> None:
    drawn = other_indices(torch.tensor([0, 1, 2]), 200, 3)
    assert all(set(row.tolist()) == {0, 1, 2} - {own} for own, row in enumerate(drawn))


def test_crd_refuses_other_indices() -> None:
    with pytest.raises(ValueError, match=r'indices: got shape \(1,\) .*, expected int64 \(2,\)'):
        crd()(torch.randn(2, 3), torch.randn(2, 4), indices=torch.tensor([0]))
    with pytest.raises(ValueError, match='indices: got 0 to 9, expected 0 to 8; num_samples is the size of the train'):
        crd()(torch.randn(2, 3), torch.randn(2, 4), indices=torch.tensor([9, 0]))
    with pytest.raises(ValueError, match='no indices'):
        crd()(torch.randn(2, 3), torch.randn(2, 4))


def test_semckd_weighs_teacher_layers_equally_where_attention_is_flat() -> None:
    loss = SemCKDLoss([2], [3, 4], dim=2)
    torch.nn.init.zeros_(loss.queries[0].weight)
    torch.nn.init.zeros_(loss.queries[0].bias)
    student = [torch.randn(2, 2, 1, 2, 2)]
    teacher = [torch.randn(2, 3, 1, 2, 2), torch.randn(2, 4, 1, 2, 2)]
    errors = [
        F.mse_loss(layer(student[0].flatten(2).mT), feature.flatten(2).mT)
        for layer, feature in zip(loss.projections[0], teacher, strict=True)
    ]
    with pytest.raises(ValueError, match='1 student and 2 teacher layers'):
        loss(student, teacher)
    loss.check = lambda *_: None
    assert torch.allclose(loss(student, teacher), sum(errors) / 2)


def test_only_the_reconstruction_trains_the_paraphraser() -> None:
    student, teacher = torch.randn(2, 3, 2, 4, 4), torch.randn(2, 4, 2, 4, 4)
    gradients = []
    for transfer in (0.0, 5.0):
        torch.manual_seed(0)
        loss = ParaphrasedFTLoss(3, 4, transfer=transfer)
        loss(student, teacher).backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in loss.paraphraser.parameters()]))
    assert torch.equal(*gradients)


def test_a_paraphraser_trained_alone_rests_once_the_transfer_acts() -> None:
    student, teacher = torch.randn(2, 3, 2, 4, 4), torch.randn(2, 4, 2, 4, 4)
    loss = ParaphrasedFTLoss(3, 4, transfer=0.0).train()
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.1)

    def moved_by(transfer: float) -> tuple[bool, bool]:
        loss.transfer = transfer
        loss.train()  # as a runner does in every epoch
        before = [
            {key: value.clone() for key, value in part.state_dict().items()}
            for part in (loss.paraphraser, loss.translator)
        ]
        optimizer.zero_grad()
        loss(student, teacher).backward()
        assert all(parameter.grad is not None for parameter in loss.parameters())
        optimizer.state.clear()  # no momentum of the first stage
        optimizer.step()
        after = [part.state_dict() for part in (loss.paraphraser, loss.translator)]
        return tuple(
            any(not torch.equal(old[key], new[key]) for key in old) for old, new in zip(before, after, strict=True)
        )

    assert moved_by(0.0)[0]
    assert moved_by(500.0) == (False, True)
    assert moved_by(0.0)[0]


def test_the_translator_waits_for_the_transfer() -> None:
    student = torch.randn(2, 3, 2, 4, 4, requires_grad=True)
    loss, ran = ParaphrasedFTLoss(3, 4, transfer=0.0).train(), []
    loss.translator.register_forward_hook(lambda *_: ran.append(True))
    for transfer in (0.0, 500.0):
        loss.transfer = transfer
        loss.zero_grad()
        loss(student, torch.randn(2, 4, 2, 4, 4)).backward()
        assert len(ran) == (transfer > 0) and all(parameter.grad is not None for parameter in loss.parameters())
        assert (student.grad.abs().sum() > 0) == (transfer > 0)


def test_a_paraphraser_without_a_stage_of_its_own_never_rests() -> None:
    loss = ParaphrasedFTLoss(3, 4, transfer=1.0).train()
    loss.transfer = 2.0
    loss(torch.randn(2, 3, 2, 4, 4), torch.randn(2, 4, 2, 4, 4)).backward()
    assert loss.paraphraser.training and loss.paraphraser[0].weight.grad.abs().sum() > 0


def test_fbkd_is_zero_for_equal_sides_and_identical_adaptation() -> None:
    loss, clip = FBKDLoss(3, feature=1.0, relations=1.0), torch.randn(2, 3, 2, 4, 4)
    for layer in (loss.adapt_feature, loss.adapt_channels, loss.adapt_relations):
        torch.nn.init.eye_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    torch.nn.init.dirac_(loss.adapt_places.weight)
    torch.nn.init.zeros_(loss.adapt_places.bias)
    assert loss(clip, clip).item() == pytest.approx(0, abs=1e-4)
    assert loss(clip + 1, clip).item() > 1
