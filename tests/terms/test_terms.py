import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mmkd_video.core.registry import MODELS
from mmkd_video.losses.finite import FiniteWatch
from mmkd_video.schedules import Progress
from mmkd_video.terms import Term, TermSpec, parse_terms

LOGITS = dict(logits=torch.randn(4, 5))


class _Sum(nn.Module):
    """A loss of a user: no base class, wants labels, takes two layers."""

    multi_layer = True
    same_channels = False
    same_positions = False

    def forward(self, student: list[Tensor], teacher: list[Tensor], labels: Tensor) -> Tensor:
        return sum(s.sum() + t.sum() for s, t in zip(student, teacher, strict=True)) + labels.sum()


def term(config, student=LOGITS, teacher=LOGITS):
    return Term(TermSpec.parse(config, 0), student, teacher)


def test_at_takes_a_name_a_pair_or_a_dict():
    for at, expected in {
        'logits': ('logits', 'logits'),
        ('pooled', 'backbone'): ('pooled', 'backbone'),
    }.items():
        assert TermSpec.parse(dict(type='FitNetLoss', at=at), 0).pairs == [expected]
    spec = TermSpec.parse(dict(type='FitNetLoss', at=dict(student='a', teacher='b')), 0)
    assert spec.pairs == [('a', 'b')]


def test_a_list_means_layers_for_losses_that_take_several():
    spec = TermSpec.parse(dict(type=_Sum, at=['a', ('b', 'c'), dict(student='d', teacher='e')]), 0)
    assert spec.pairs == [('a', 'a'), ('b', 'c'), ('d', 'e')]


def test_keys_of_the_term_stay_with_it_and_the_rest_goes_to_the_loss():
    spec = TermSpec.parse(dict(type='KDLoss', at='logits', weight=2, name='hot', begin=1, end=3, temperature=2.0), 0)
    assert (spec.name, spec.weight, spec.begin, spec.end, spec.loss_config) == ('hot', 2, 1, 3, dict(temperature=2.0))


def test_a_loss_gets_exactly_the_keywords_it_names():
    features = dict(a=torch.ones(2, 3), b=torch.ones(2, 4))
    built = term(dict(type=_Sum, at=['a', 'b']), features, features)
    context = dict(labels=torch.tensor([1, 2]), indices=torch.tensor([7, 8]))
    assert built.needs == ('labels',)
    assert built(features, features, context).item() == 2 * (6 + 8) + 3
    with pytest.raises(ValueError, match="needs \\['labels'\\]"):
        built(features, features, dict(labels=None))


def test_a_frame_of_one_side_is_no_place_of_the_other():
    clip, places = dict(x=torch.randn(2, 3, 2, 2, 2)), dict(x=torch.randn(2, 8, 3))
    for sides in ((clip, places), (places, clip)):
        with pytest.raises(ValueError, match=r"at \('x', 'x'\): the loss compares frames.*tap maps on both sides"):
            term(dict(type='TemporalOrderLoss', at='x'), *sides)
    assert term(dict(type='FitNetLoss', at='x'), clip, places).pairs[0].layouts, 'places may be compared with places'
    frames = dict(x=torch.randn(2, 4, 3))
    assert term(dict(type='TemporalOrderLoss', at='x'), frames, places)(frames, places, {}).item() > 0


def test_a_connector_is_inferred_only_where_channels_differ():
    ours, theirs = dict(x=torch.randn(2, 3, 4, 2, 2)), dict(x=torch.randn(2, 6, 4, 2, 2))
    assert term(dict(type='FitNetLoss', at='x'), ours, theirs).pairs[0].connector is not None
    assert term(dict(type='FitNetLoss', at='x'), ours, ours).pairs[0].connector is None
    assert term(dict(type='ATLoss', at='x'), ours, theirs).pairs[0].connector is None
    with pytest.raises(ValueError, match='connector=False; leave connector out'):
        term(dict(type='FitNetLoss', at='x', connector=False), ours, theirs)
    own = term(dict(type='FitNetLoss', at='x', connector=dict(type='ProjectionConnector', norm=True)), ours, theirs)
    assert isinstance(own.pairs[0].connector.norm, nn.BatchNorm3d)
    with pytest.raises(ValueError, match='gives 5 channels'):
        term(dict(type='FitNetLoss', at='x', connector=dict(type='ProjectionConnector', out_channels=5)), ours, theirs)


def test_an_unknown_connector_names_the_nearest():
    feature = dict(x=torch.randn(2, 3))
    with pytest.raises(KeyError, match="unknown connector type 'ProjectConnector'; nearest names: ProjectionConnector"):
        term(dict(type='FitNetLoss', at='x', connector=dict(type='ProjectConnector')), feature, feature)


def test_the_dry_run_leaves_the_connectors_batch_norm_alone():
    ours, theirs = dict(x=torch.randn(2, 3, 4, 2, 2)), dict(x=torch.randn(2, 6, 4, 2, 2))
    config = dict(type='FitNetLoss', at='x', connector=dict(type='ProjectionConnector', norm=True))
    norm = term(config, ours, theirs).pairs[0].connector.norm
    assert norm.training and torch.equal(norm.running_mean, torch.zeros(6))


def test_a_map_loss_refuses_vectors_and_says_what_to_tap():
    with pytest.raises(ValueError, match='tap a module that keeps space and time'):
        term(dict(type='ATLoss', at='logits'))


def test_logits_per_frame_are_rows():
    frames = dict(frame_logits=torch.randn(2, 8, 5))
    fewer = dict(frame_logits=torch.randn(2, 4, 5))
    built = term(dict(type='KDLoss', at='frame_logits'), frames, fewer)
    rows = built.pairs[0](frames['frame_logits'], fewer['frame_logits'])
    assert [tuple(row.shape) for row in rows] == [(8, 5), (8, 5)]


def test_a_term_acts_from_begin_to_end():
    built = term(dict(type='KDLoss', at='logits', begin=1, end=2))
    other = dict(logits=torch.randn(4, 5))
    values = []
    for epoch in range(3):
        built.move(Progress(epoch, epoch, 1, 3))
        values.append(built(LOGITS, other, {}).item())
    assert values[0] == 0 and values[1] > 0 and values[2] == 0


def test_a_paraphraser_rests_where_its_schedule_has_come_to_the_transfer():
    ours, theirs = dict(x=torch.randn(2, 3, 2, 2, 2)), dict(x=torch.randn(2, 4, 2, 2, 2))
    transfer = dict(type='Warmup', value=500.0, begin=1, end=3)
    built = term(dict(type='ParaphrasedFTLoss', at='x', transfer=transfer), ours, theirs).train()
    rests = []
    for epoch in range(4):
        built.move(Progress(epoch, epoch, 1, 4))
        built(ours, theirs, {})
        rests.append(not built.loss.paraphraser.training)
    assert rests == [False, False, True, True] and built.loss.transfer == 500


class NoReading(TorchDispatchMode):
    """What reads a number out of a tensor: on an accelerator the host would wait for it."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        assert function is not torch.ops.aten._local_scalar_dense.default, 'a number was read out of a tensor'
        return function(*args, **(kwargs or {}))


def test_the_stages_of_a_paraphraser_do_not_make_the_host_wait(monkeypatch):
    monkeypatch.setattr(FiniteWatch, '_waits_for', lambda *_: True)  # as on CUDA, where it reads a step later
    monkeypatch.setattr(FiniteWatch, '_send', lambda *_: None)
    ours, theirs = dict(x=torch.randn(2, 3, 2, 2, 2)), dict(x=torch.randn(2, 4, 2, 2, 2))
    transfer = dict(type='Warmup', value=500.0, begin=0, end=2)
    built = term(dict(type='ParaphrasedFTLoss', at='x', transfer=transfer), ours, theirs).train()
    for epoch in range(2):
        built.move(Progress(epoch, epoch, 1, 2))
        with NoReading():
            built(ours, theirs, {}).backward()
        assert built.loss.paraphraser.training == (epoch == 0)


def test_a_scheduled_argument_must_exist_on_the_loss():
    with pytest.raises(KeyError, match="unknown argument 'heat'"):
        term(dict(type='KDLoss', at='logits', heat=dict(type='Linear')))


@pytest.mark.parametrize(
    ('configs', 'teachers', 'error', 'words'),
    [
        (['KDLoss'], ['teacher'], ValueError, 'terms\\[0\\]: got'),
        ([dict(type='KDLoss', at='logits', begin=2, end=2)], ['teacher'], ValueError, '0 <= begin < end'),
        ([dict(type='KDLoss', at='logits', name='a.b')], ['teacher'], ValueError, "terms\\[0\\].name: got 'a.b'"),
        ([dict(type='KDLoss', at='logits', name='items')], ['teacher'], ValueError, "terms\\[0\\].name: got 'items'"),
        ([dict(type='KDLoss', at='logits', name='train')], ['teacher'], ValueError, "terms\\[0\\].name: got 'train'"),
        (
            [dict(type='KDLoss', at='logits', name=3)],
            ['teacher'],
            ValueError,
            'terms\\[0\\].name: got 3; expected text',
        ),
        ([dict(type='KDLoss', at='logits', connector='conv')], ['teacher'], ValueError, 'expected None \\(inferred\\)'),
        ([dict(type='KDLoss', at=('a', 'b', 'c'))], ['teacher'], ValueError, 'expected a tap such as'),
        ([dict(type='KDLoss', at='logits')], ['a', 'b'], ValueError, 'say which teacher'),
        ([dict(type='KDLoss', at='logits', teacher='c')], ['a', 'b'], KeyError, "expected one of \\['a', 'b'\\]"),
    ],
)
def test_mistakes_name_the_key(configs, teachers, error, words):
    with pytest.raises(error, match=words):
        parse_terms(configs, teachers)


def test_a_users_own_loss_needs_nothing_but_a_forward():
    class Gap(nn.Module):
        def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
            return (student - teacher).abs().mean()

    ours, theirs = dict(x=torch.randn(2, 3, 4, 2, 2)), dict(x=torch.randn(2, 6, 2, 2, 2))
    built = term(dict(type=Gap, at='x'), ours, theirs)
    assert built(ours, theirs, {}).item() > 0
    assert MODELS.get('Gap') is None


def test_what_a_loss_refuses_names_the_term_and_its_taps():
    ours, theirs = dict(x=torch.randn(2, 3)), dict(y=torch.full((2, 3), float('nan')))
    built = term(dict(type='FitNetLoss', at=('x', 'y'), name='last'), ours, theirs)
    with pytest.raises(ValueError, match=r"term 'last' at \('x', 'y'\): FitNetLoss: got teacher .* NaN or infinity"):
        built(ours, theirs, {})
