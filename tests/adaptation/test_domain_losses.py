"""Losses between domains: alone, and in trainings on real clips of two lists."""

import copy

import clips
import pytest
import tiny
import torch
from mmengine.hooks import Hook

from mmkd_video.adaptation import CDANLoss, CORALLoss, DANNLoss, MMDLoss

DOMAINS = torch.tensor([0, 0, 1, 1])
TERMS = {
    'dann': dict(type='DANNLoss', at='pooled', weight=0.1, strength=dict(type='Logistic', by_epoch=False), hidden=4),
    'cdan': dict(type='CDANLoss', at=['pooled', 'logits'], weight=0.1, hidden=4),
    'mmd': dict(type='MMDLoss', at='pooled', weight=0.1),
    'coral': dict(type='CORALLoss', at='logits', weight=0.1),
}


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Four clips of the source, and four of another folder, of which no label is known."""
    root = clips.make_set(tmp_path_factory.mktemp('clips'), count=4)
    clips.make_set(root / 'target', count=4)
    (root / 'target.txt').write_text(''.join(f'target/{index}.mp4\n' for index in range(4)))
    return root


class Domains(Hook):
    """Notes the domains of the samples of each batch."""

    def __init__(self):
        self.seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.seen.append([(each.metainfo['domain'], int(each.gt_label)) for each in data_batch['data_samples']])


def run(videos, work_dir, name, terms, **extra):
    dataset = dict(type='MixedVideoDataset', unlabelled='target.txt', ann_file='list.txt', data_root=str(videos))
    dataset |= dict(data_prefix=dict(video=''))
    loader = dict(batch_size=4, batch_sampler=dict(type='MixedBatchSampler'), dataset=dataset)
    kd = dict(type='KDLoss', at='logits', weight=0.5)
    built, watch = (
        tiny.runner(
            videos,
            work_dir,
            name,
            tiny.distiller(terms=[kd, *terms]),
            train_dataloader=loader,
            param_scheduler=[dict(type='MultiStepLR', milestones=[100])],
            **extra,
        ),
        Domains(),
    )
    built.register_hook(watch)
    built.train()
    return built, watch


def test_a_training_on_two_lists_with_all_of_them(videos, tmp_path):
    runner, watch = run(videos, tmp_path, 'all', list(TERMS.values()))
    for batch in watch.seen:
        assert [domain for domain, _ in batch] == [0, 0, 1, 1]
        assert all((label == -1) == (domain == 1) for domain, label in batch)
    plain = tiny.runner(videos, tmp_path / 'plain', 'plain', tiny.recognizer())
    saved = torch.load(tmp_path / 'epoch_2.pth', weights_only=False)
    assert saved['state_dict'].keys() == plain.model.state_dict().keys()
    assert any('classifier' in key for key in saved['training_state'])
    terms = runner.model.training_state.terms
    assert terms['dann'].loss.strength.item() > 0.99  # the last step of the schedule


def test_a_resumed_training_is_the_same(videos, tmp_path):
    terms = [TERMS['dann'], TERMS['mmd']]
    whole, _ = run(videos, tmp_path / 'whole', 'whole', terms, train_cfg=dict(max_epochs=2))
    cut = tmp_path / 'whole' / 'epoch_1.pth'
    again, _ = run(videos, tmp_path / 'cut', 'again', terms, resume=True, load_from=str(cut))
    for key, value in (whole.model.state_dict() | whole.model.training_state_dict()).items():
        assert torch.equal(value, (again.model.state_dict() | again.model.training_state_dict())[key]), key


def test_the_classifier_learns_and_the_student_unlearns():
    torch.manual_seed(0)
    loss, feature = DANNLoss(3, strength=0.5, hidden=8), torch.randn(4, 3, requires_grad=True)
    value = loss(feature, feature, domains=DOMAINS)
    value.backward()
    plain = feature.detach().clone().requires_grad_()
    scores = loss.classifier(plain)
    reference = torch.nn.functional.binary_cross_entropy_with_logits(scores, DOMAINS.float())
    assert value.item() == pytest.approx(reference.item())
    own = [parameter.grad.clone() for parameter in loss.classifier.parameters()]
    loss.zero_grad()
    reference.backward()
    assert torch.allclose(feature.grad, -0.5 * plain.grad)
    assert all(torch.allclose(a, b.grad) for a, b in zip(own, loss.classifier.parameters(), strict=True))


def test_the_teacher_is_not_read_and_gets_no_gradient():
    torch.manual_seed(0)
    feature, scores = torch.randn(4, 3), torch.randn(4, 5)
    for loss, student in [(MMDLoss(), feature), (CORALLoss(), feature), (DANNLoss(3), feature)]:
        teacher = torch.randn(4, 7, requires_grad=True)
        value = loss(student.clone().requires_grad_(), teacher, domains=DOMAINS)
        value.backward()
        assert teacher.grad is None
        assert loss(student, torch.zeros(4, 7), domains=DOMAINS).item() == value.item()
    loss, ours = CDANLoss([3, 5]), [feature.clone().requires_grad_(), scores.clone().requires_grad_()]
    loss(ours, [feature, scores], domains=DOMAINS).backward()
    assert ours[0].grad.any() and ours[1].grad is None  # probabilities only condition the classifier
    half = MMDLoss()(feature.half(), feature.half(), domains=DOMAINS)
    assert half.dtype == torch.float32 and torch.isfinite(half)


def test_an_order_of_the_clips_does_not_matter():
    feature = torch.randn(6, 3)
    domains = torch.tensor([0, 1, 0, 1, 1, 0])
    for loss in (MMDLoss(), CORALLoss(), DANNLoss(3)):
        mixed = loss(feature, feature, domains=domains)
        order = domains.argsort()
        assert loss(feature[order], feature, domains=domains[order]).item() == pytest.approx(mixed.item(), rel=1e-5)


@pytest.mark.parametrize(
    ('domains', 'told'),
    [
        (torch.tensor([0, 0, 0, 0]), 'a batch of 4 source and 0 target clips; expected at least 1 of each.*MixedBatch'),
        (torch.tensor([0, 1]), r'domains: got shape \(2,\) of torch.int64, expected \(4,\)'),
        (torch.tensor([0, 1, 2, 0]), 'of 0 .source. and 1 .target.'),
        (None, 'got no domains'),
    ],
)
def test_batches_without_both_domains_are_refused(domains, told):
    with pytest.raises(ValueError, match=told):
        MMDLoss()(torch.randn(4, 3), torch.randn(4, 3), domains=domains)


def test_one_clip_has_no_covariance():
    with pytest.raises(ValueError, match='3 source and 1 target clips; expected at least 2 of each'):
        CORALLoss()(torch.randn(4, 3), torch.randn(4, 3), domains=torch.tensor([0, 0, 0, 1]))


def test_mistakes_are_named(videos, tmp_path):
    with pytest.raises(ValueError, match="'mmd': MMDLoss needs .'domains'., which the batch lacks; take .*Mixed"):
        tiny.train(videos, tmp_path, 'plain', tiny.distiller(terms=[TERMS['mmd']]))
    with pytest.raises(ValueError, match='strength: got -1.0; expected a number of at least 0'):
        DANNLoss(3, strength=-1.0)
    with pytest.raises(ValueError, match=r'bandwidths\[1\]: got 0; expected a number above 0'):
        MMDLoss(bandwidths=[1.0, 0])
    with pytest.raises(ValueError, match='got 1 layers; expected two'):
        tiny.build(terms=[dict(copy.deepcopy(TERMS['cdan']), at=['pooled'])])
