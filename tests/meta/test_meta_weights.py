"""Weights of terms that learn from clips which are held back."""

from types import SimpleNamespace

import clips
import pytest
import quiz_runs
import tiny
import torch
from torch import nn

from mmkd_video.compat import safe_load
from mmkd_video.meta import MetaWeightHook
from mmkd_video.meta.learner import Learner
from mmkd_video.meta.rehearsal import Rehearsal
from mmkd_video.weightings import MetaLearnedWeighting

TASK, TERM = torch.tensor([0.0, 0.0]), torch.tensor([4.0, 2.0])


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('videos'), count=8)


class Drawn(nn.Module):
    """A distiller whose task draws the point to the clips, and whose term draws it to another place."""

    def __init__(self, weight):
        super().__init__()
        self.student = quiz_runs.Numbers([1.0, -1.0])
        self.training_state = nn.Module()
        term = nn.Module()
        term.weighting, term.acting = MetaLearnedWeighting(weight), True
        self.training_state.terms = nn.ModuleDict(dict(pull=term))
        self.data_preprocessor, self.parse_losses = quiz_runs.prepare, quiz_runs.parse_losses

    def forward(self, inputs, data_samples, mode):
        weight = self.training_state.terms['pull'].weighting.log_weight.exp().float()
        pull = (self.student.point - TERM).square().sum() / 2
        return dict(self.student(inputs, data_samples, mode), loss_pull=weight * pull)

    def training_state_dict(self):
        return self.training_state.state_dict()

    def load_training_state_dict(self, state):
        self.training_state.load_state_dict(state)


def at(place):
    return dict(inputs=place[None], data_samples=[SimpleNamespace()])


@pytest.mark.parametrize('start', [0.02, 5.0])
def test_the_weight_becomes_the_one_at_which_the_student_fits_the_held_back_clips(start):
    model, right = Drawn(start), 1 / 3  # the task and the term balance at w / (1 + w) of the way between the two
    judged = at(TASK + right / (1 + right) * (TERM - TASK))
    hook = MetaWeightHook(dict(dataset={}), rate=0.3, lr=0.05)
    learner = Learner(model)
    optimizer = torch.optim.SGD(model.student.parameters(), lr=0.2)
    for _ in range(400):
        rehearsal = Rehearsal(learner, hook.lr)
        with rehearsal.without_trace():
            found = hook.quiz(rehearsal, at(TASK), judged)
        hook.conclude(learner, found)
        optimizer.zero_grad()
        quiz_runs.parse_losses(model(**at(TASK), mode='loss'))[0].backward()
        optimizer.step()
    assert model.training_state.terms['pull'].weighting.log_weight.exp().item() == pytest.approx(right, rel=0.02)


def test_the_product_is_the_derivative_that_autograd_finds_through_the_step():
    model, judged, rate = Drawn(0.7), torch.tensor([2.0, 1.5]), 0.3
    hook = MetaWeightHook(dict(dataset={}))
    loss, terms = hook.quiz(Rehearsal(Learner(model), rate), at(TASK), at(judged))
    log_weight = torch.tensor(0.7).log().requires_grad_(True)
    point = model.student.point
    objective = (point - TASK).square().sum() / 2 + log_weight.exp() * (point - TERM).square().sum() / 2
    after = point - rate * torch.autograd.grad(objective, point, create_graph=True)[0]
    expected = (after - judged).square().sum() / 2
    torch.testing.assert_close(loss, expected.detach())
    derivative = torch.autograd.grad(expected, log_weight)[0]
    torch.testing.assert_close(-rate * terms['pull'][0].float(), derivative)


def test_weights_move_are_logged_and_stay_out_of_the_students_checkpoint(videos, tmp_path):
    runner = quiz_runs.built(videos, tmp_path, quiz_runs.weight_hook(videos))
    runner.train()
    terms = runner.model.training_state.terms
    for name, start in (('kd', 0.5), ('fitnet', 2.0)):
        weight = terms[name].weighting.log_weight.exp().item()
        assert weight != start and terms[name].weighting.calls == 4
        assert runner.message_hub.get_scalar(f'train/{name}_weight').current() == pytest.approx(weight)
    assert runner.message_hub.get_scalar('train/held_back_loss').current() > 0
    saved = safe_load.load(str(tmp_path / 'epoch_2.pth'))
    assert not any('weight' in key and 'log' in key for key in saved['state_dict'])
    assert 'terms.kd.weighting.log_weight' in saved['training_state']


def test_a_quiz_leaves_the_step_that_follows_as_it_would_have_been(videos, tmp_path):
    """With dropout, batch norms, a memory and a balanced term, all of which a pass in training moves."""
    others = [
        dict(type='CRDLoss', at='pooled', num_samples=8, weight=0.1),
        dict(type='RKDLoss', at='pooled'),
    ]
    states = []
    for hook, weight in ((None, 0.5), (quiz_runs.weight_hook(videos, rate=1e-30, interval=1), quiz_runs.LEARNED)):
        terms = [*others, dict(quiz_runs.LEARNED, weight=0.5) if hook is None else weight]
        student = tiny.recognizer(dropout=0.5)
        runner = quiz_runs.built(videos, tmp_path / str(hook is None), hook, terms, student)
        runner.train()
        states.append(quiz_runs.state_of(runner))
    assert len(states[0]) > 40
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


@pytest.mark.slow
def test_a_killed_training_goes_on_with_its_weights_and_clips(videos, tmp_path):
    hook = quiz_runs.weight_hook(videos, interval=3, rate=0.5)  # the second epoch begins between two quizzes
    expected, again = quiz_runs.resumed(videos, tmp_path, hook)
    for name, value in expected.items():
        assert torch.equal(value, again[name]), name


@pytest.mark.parametrize(
    'change, message',
    [
        (
            dict(hook=None),
            r"term 'kd'\.weight: got 'MetaLearned', which nothing moves; add dict\(type='MetaWeightHook'",
        ),
        (
            dict(terms=[tiny.KD]),
            'got no term with a weight to learn; expected .*MetaLearned.* in .* kd',
        ),
        (dict(activation_checkpointing='backbone'), 'got activation checkpoints; expected none'),
        (
            dict(hook=dict(type='MetaWeightHook', dataloader=dict())),
            r'MetaWeightHook.dataloader: got {}; expected dict.batch_size=8',
        ),
    ],
)
def test_what_cannot_work_is_told_in_one_line(videos, tmp_path, change, message):
    change = dict(dict(hook=quiz_runs.weight_hook(videos)), **change)
    with pytest.raises(ValueError, match=message) as told:
        quiz_runs.built(videos, tmp_path, **change).train()
    assert len(str(told.value).splitlines()) == 1


def test_a_student_alone_has_nothing_to_weigh(videos, tmp_path):
    runner = tiny.runner(videos, tmp_path, 'alone', tiny.recognizer(), hooks=[quiz_runs.weight_hook(videos)])
    with pytest.raises(ValueError, match='MetaWeightHook: got a model without terms; expected a Distiller'):
        runner.train()


def test_held_back_clips_need_labels(videos, tmp_path):
    (tmp_path / 'list.txt').write_text('0.mp4 -1\n1.mp4 1\n')
    hook = quiz_runs.weight_hook(videos)
    hook['dataloader']['dataset']['ann_file'] = str(tmp_path / 'list.txt')
    with pytest.raises(ValueError, match='list.txt:1.*got .*-1'):
        quiz_runs.built(videos, tmp_path, hook).train()


@pytest.mark.parametrize('setting', [dict(start=0.0), dict(span=1.0), dict(start='x')])
def test_a_wrong_setting_of_the_weight_is_named(setting):
    with pytest.raises(ValueError, match=f"term 'kd'.weight.{next(iter(setting))}: got"):
        tiny.build(terms=[dict(type='KDLoss', at='logits', weight=dict(type='MetaLearned', **setting))])


@pytest.mark.slow
def test_two_ranks_learn_the_weights_of_one_process_with_twice_the_batch(videos, tmp_path):
    first, second = quiz_runs.on_two_ranks(videos, tmp_path, 'weights')
    hook = quiz_runs.weight_hook(videos, batch_size=4)
    alone = quiz_runs.built(
        videos, tmp_path / 'one', hook, student=tiny.recognizer(norm_eval=True), train_dataloader=dict(batch_size=4)
    )
    alone.train()
    for name, value in quiz_runs.state_of(alone).items():
        torch.testing.assert_close(first[name], value, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=0)
