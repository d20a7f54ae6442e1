"""A teacher that learns to teach: the pilot update of MetaDistil."""

import clips
import pytest
import quiz_runs
import tiny
import torch
from mmengine.runner.checkpoint import load_checkpoint
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

from mmkd_video.compat import safe_load
from mmkd_video.core.registry import MODELS
from mmkd_video.losses.base import gradient_to_teacher
from mmkd_video.meta import MetaDistilHook
from mmkd_video.meta.learner import Learner
from mmkd_video.meta.rehearsal import Rehearsal
from mmkd_video.teachers import MetaTeacher, Teacher


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('videos'), count=8)


class Place(MetaTeacher):
    """A teacher whose only weights are the place that it draws the student to."""

    def __init__(self, place):
        Teacher.__init__(self, 'teacher')
        self.module = nn.Module()
        self.module.place = nn.Parameter(torch.tensor(place), requires_grad=False)


class Led(nn.Module):
    def __init__(self, start, place):
        super().__init__()
        self.student, self.teachers = quiz_runs.Numbers(start), dict(teacher=Place(place))
        self.training_state = nn.Module()
        self.training_state.terms = nn.ModuleDict(dict(pull=nn.Module()))
        self.data_preprocessor, self.parse_losses = quiz_runs.prepare, quiz_runs.parse_losses

    def forward(self, inputs, data_samples, mode):
        pull = (self.student.point - self.teachers['teacher'].module.place).square().sum() / 2
        return dict(loss_pull=3 * pull)

    def training_state_dict(self):
        return {}

    def load_training_state_dict(self, state):
        assert not state


def at(place):
    return dict(inputs=torch.tensor(place)[None], data_samples=[])


def quizzed(hook, model, rate, judged):
    rehearsal = Rehearsal(Learner(model), rate)
    with rehearsal.without_trace():
        return hook.quiz(rehearsal, at([0.0, 0.0]), at(judged))


def test_the_derivative_of_a_teacher_is_the_one_worked_out_by_hand():
    start, place, judged, rate = [1.0, -2.0], [3.0, 0.5], [0.5, 0.25], 0.1
    loss, found = quizzed(MetaDistilHook(dict(dataset={})), Led(start, place), rate, judged)
    # the student goes to s + 3 r (t - s); the derivative of half its squared distance from j is 3 r (s' - j)
    after = [s + 3 * rate * (t - s) for s, t in zip(start, place, strict=True)]
    expected = [3 * rate * (a - j) for a, j in zip(after, judged, strict=True)]
    torch.testing.assert_close(found['teacher'][0], torch.tensor(expected))
    assert loss.item() == pytest.approx(sum((a - j) ** 2 / 2 for a, j in zip(after, judged, strict=True)))


def test_a_teacher_leads_its_student_to_where_the_held_back_clips_are():
    model, judged = Led([4.0, 4.0], [-1.0, 3.0]), [1.0, 2.0]
    hook = MetaDistilHook(dict(dataset={}))
    hook._optimizers = dict(teacher=torch.optim.SGD(model.teachers['teacher'].parameters(), lr=2.0))
    optimizer = torch.optim.SGD(model.student.parameters(), lr=0.1)
    for _ in range(200):
        hook.conclude(Learner(model), quizzed(hook, model, 0.1, judged))
        optimizer.zero_grad()
        quiz_runs.parse_losses(model(**at([0.0, 0.0]), mode='loss'))[0].backward()
        optimizer.step()
    torch.testing.assert_close(model.student.point.detach(), torch.tensor(judged), rtol=0, atol=1e-3)
    torch.testing.assert_close(model.teachers['teacher'].module.place, torch.tensor(judged), rtol=0, atol=1e-3)
    assert model.teachers['teacher'].module.place.grad is None


def test_the_derivative_is_that_of_the_authors_algorithm(videos, tmp_path):
    """Fast weights with their graph, the held-back loss of them, and its gradient for the teacher, in plain torch."""
    rate, temperature = 0.2, 4.0
    terms = [dict(type='KDLoss', at='logits', temperature=temperature, weight=0.9)]
    runner = quiz_runs.built(
        videos, tmp_path, quiz_runs.distil_hook(videos), terms, tiny.recognizer(norm_eval=True), quiz_runs.META
    )
    model, hook = runner.model, next(each for each in runner.hooks if isinstance(each, MetaDistilHook))
    loader = runner.build_dataloader(runner._train_dataloader, seed=0)
    first, second = (batch for batch, _ in zip(loader, range(2), strict=False))
    model.set_progress(0, 0, 4, 8)
    hook.wanted(Learner(model))
    model.train()
    loss, found = hook.quiz(Rehearsal(Learner(model), rate), first, second)

    student, teacher = model.student, model.teachers['teacher'].module.requires_grad_(True)
    names, weights = zip(*student.named_parameters(), strict=True)

    def scores(network, batch, given=None):
        prepared = network.data_preprocessor(dict(batch), True)
        inputs = dict(inputs=prepared['inputs'], mode='tensor', stage='head')
        found = network(**inputs) if given is None else functional_call(network, given, kwargs=inputs)
        return found, torch.cat([sample.gt_label for sample in batch['data_samples']])

    mine, labels = scores(student, first)
    theirs, _ = scores(teacher, first)
    soft = F.kl_div((mine / temperature).log_softmax(1), (theirs / temperature).softmax(1), reduction='batchmean')
    objective = 0.9 * temperature**2 * soft + F.cross_entropy(mine, labels)
    slopes = torch.autograd.grad(objective, weights, create_graph=True)
    fast = {name: weight - rate * slope for name, weight, slope in zip(names, weights, slopes, strict=True)}
    expected = F.cross_entropy(*scores(student.eval(), second, fast))
    torch.testing.assert_close(loss, expected.detach())
    for mine, theirs in zip(found['teacher'], torch.autograd.grad(expected, list(teacher.parameters())), strict=True):
        assert theirs.abs().max() > 0 and (mine - theirs).abs().max() < 1e-3 * theirs.abs().max()


def test_a_training_moves_the_teacher_and_keeps_checkpoints_plain(videos, tmp_path):
    runner = quiz_runs.built(videos, tmp_path, quiz_runs.distil_hook(videos), quiz_runs.PLAIN, teacher=quiz_runs.META)
    teacher = runner.model.teachers['teacher']
    before = {name: each.clone() for name, each in teacher.module.state_dict().items()}
    runner.train()
    after = teacher.module.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name for name, _ in teacher.module.named_parameters()}
    assert not any(each.requires_grad or each.grad is not None for each in teacher.parameters())
    held = {id(each) for group in runner.optim_wrapper.optimizer.param_groups for each in group['params']}
    assert not held & {id(each) for each in teacher.parameters()}
    plain = MODELS.build(tiny.recognizer())
    load_checkpoint(plain, str(tmp_path / 'epoch_2.pth'), strict=True)
    saved = safe_load.load(str(tmp_path / 'epoch_2.pth'))
    assert list(saved['state_dict']) == list(plain.state_dict()) and set(saved['meta_teachers']) == {'teacher'}
    load_checkpoint(MODELS.build(tiny.recognizer(12)), str(tmp_path / 'teachers' / 'teacher.pth'), strict=True)
    assert runner.message_hub.get_scalar('train/teacher_meta_grad').current() > 0


@pytest.mark.slow
def test_a_killed_training_goes_on_with_its_teacher(videos, tmp_path):
    given = dict(hook=quiz_runs.distil_hook(videos), terms=quiz_runs.PLAIN, teacher=quiz_runs.META)
    expected, again = quiz_runs.resumed(videos, tmp_path, **given)
    assert any(name.startswith('teachers.') for name in expected)
    for name, value in expected.items():
        assert torch.equal(value, again[name]), name


def test_losses_leave_the_teacher_without_a_gradient_again(videos):
    loss = MODELS.build(dict(type='KDLoss'))
    mine, theirs = (torch.randn(2, 3, requires_grad=True) for _ in range(2))
    with gradient_to_teacher():
        slopes = torch.autograd.grad(loss(mine, theirs), [mine, theirs])
    assert all(each.abs().sum() > 0 for each in slopes)
    assert torch.autograd.grad(loss(mine, theirs), [theirs], allow_unused=True) == (None,)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(hook=None), "teacher: got a MetaTeacher, which nothing moves; add dict.*'MetaDistilHook'"),
        (dict(teacher=None), "got no teacher that learns to teach; expected teacher=dict.type='MetaTeacher'"),
        (
            dict(terms=[dict(type='HardKDLoss', at='logits', weight=1.0)]),
            "got terms through which no gradient reaches the teacher's weights; expected .*KDLoss",
        ),
    ],
)
def test_what_cannot_teach_is_told_in_one_line(videos, tmp_path, change, message):
    given = dict(hook=quiz_runs.distil_hook(videos), terms=quiz_runs.PLAIN, teacher=quiz_runs.META)
    with pytest.raises(ValueError, match=message) as told:
        quiz_runs.built(videos, tmp_path, **{**given, **change}).train()
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize(
    'damage', [None, {}, dict(teacher=3), dict(teacher=dict(state={0: dict(momentum_buffer=torch.ones(3))}))]
)
def test_a_damaged_state_of_the_optimizer_is_told(videos, tmp_path, damage):
    given = dict(hook=quiz_runs.distil_hook(videos), terms=quiz_runs.PLAIN, teacher=quiz_runs.META)
    runner = quiz_runs.built(videos, tmp_path, **given)
    hook = next(each for each in runner.hooks if isinstance(each, MetaDistilHook))
    hook._optimizers = dict(teacher=torch.optim.SGD(runner.model.teachers['teacher'].parameters(), lr=1.0))
    if damage and isinstance(damage['teacher'], dict):
        damage['teacher']['param_groups'] = hook._optimizers['teacher'].state_dict()['param_groups']
    with pytest.raises(ValueError, match="resume from: 'meta_teachers.*; resume with the config"):
        hook._load(damage)


@pytest.mark.slow
def test_two_ranks_train_the_teacher_of_one_process_with_twice_the_batch(videos, tmp_path):
    first, second = quiz_runs.on_two_ranks(videos, tmp_path, 'distil')
    alone = quiz_runs.built(
        videos, tmp_path / 'one', quiz_runs.distil_hook(videos, batch_size=4), quiz_runs.PLAIN,
        tiny.recognizer(norm_eval=True), quiz_runs.META, train_dataloader=dict(batch_size=4),
    )  # fmt: skip
    alone.train()
    for name, value in quiz_runs.state_of(alone).items():
        torch.testing.assert_close(first[name], value, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=0)
