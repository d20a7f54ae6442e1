"""Differentiable descent: meta-gradients worked out by hand on quadratics, and unrolled on the sinusoid of MAML."""

import torch
from torch.func import functional_call

from mmkd_video.functional import descend, prototype_scores, prototypes

A, B, RATE = torch.diag(torch.tensor([2.0, 0.5])), torch.tensor([1.0, -3.0]), 0.1
START = torch.tensor([0.7, -0.2])


def meta_gradient(steps, differentiable):
    """Of the loss |p - B|^2 / 2 after some steps on p A p / 2."""
    start = START.clone().requires_grad_()
    found = descend(dict(p=start), lambda now, _: now['p'] @ A @ now['p'] / 2, steps, RATE, differentiable)['p']
    return torch.autograd.grad((found - B).square().sum() / 2, start)[0]


def test_the_meta_gradient_of_a_quadratic_is_the_one_worked_out_by_hand():
    shrink = torch.eye(2) - RATE * A  # a step is p <- shrink p
    for steps in (1, 3):
        power = torch.linalg.matrix_power(shrink, steps)
        after = power @ START - B
        torch.testing.assert_close(meta_gradient(steps, True), power.T @ after)
        torch.testing.assert_close(meta_gradient(steps, False), after)


def test_a_parameter_that_the_loss_does_not_read_stays():
    other = torch.ones(2, requires_grad=True)
    found = descend(dict(p=START.clone().requires_grad_(), other=other), lambda now, _: now['p'].sum(), 2, RATE)
    assert found['other'] is other
    torch.testing.assert_close(found['p'], START - 2 * RATE)


def sinusoid(seed, points=10):
    """The regression of the MAML paper: y = a sin(x + b), a from 0.1 to 5, b from 0 to pi, x from -5 to 5."""
    draw = torch.Generator().manual_seed(seed)
    a, b = 0.1 + 4.9 * torch.rand(1, generator=draw), torch.pi * torch.rand(1, generator=draw)
    x = 10 * torch.rand(2 * points, 1, generator=draw, dtype=torch.float64) - 5
    y = a * torch.sin(x + b)
    return (x[:points], y[:points]), (x[points:], y[points:])


def network():
    torch.manual_seed(0)
    layers = torch.nn.Linear(1, 40), torch.nn.Tanh(), torch.nn.Linear(40, 40), torch.nn.Tanh(), torch.nn.Linear(40, 1)
    return torch.nn.Sequential(*layers).double()


def ours(net, support, query, steps, second_order):
    def loss_of(parameters, data=support):
        return (functional_call(net, parameters, (data[0],)) - data[1]).square().mean()

    adapted = descend(dict(net.named_parameters()), lambda now, _: loss_of(now), steps, 0.01, second_order)
    return torch.autograd.grad(loss_of(adapted, query), list(net.parameters()))


def unrolled(net, support, query, steps, second_order):
    """The same written out layer by layer, with matrices alone: no module, no functional call."""

    def loss_of(w, data):
        hidden = torch.tanh(torch.tanh(data[0] @ w[0].T + w[1]) @ w[2].T + w[3])
        return (hidden @ w[4].T + w[5] - data[1]).pow(2).sum() / len(data[1])

    start = [each.detach().clone().requires_grad_() for each in net.parameters()]
    now = start
    for _ in range(steps):
        slopes = torch.autograd.grad(loss_of(now, support), now, create_graph=second_order)
        now = [w - 0.01 * (s if second_order else s.detach()) for w, s in zip(now, slopes, strict=True)]
    if second_order:
        return torch.autograd.grad(loss_of(now, query), start)
    leaves = [w.detach().requires_grad_() for w in now]  # first order: the gradient at the adapted weights
    return torch.autograd.grad(loss_of(leaves, query), leaves)


def test_the_meta_gradient_of_the_sinusoid_is_that_of_the_unrolled_computation():
    net = network()
    for second_order in (True, False):
        for steps in (1, 5):
            pairs = zip(*(make(net, *sinusoid(3), steps, second_order) for make in (ours, unrolled)), strict=True)
            for got, expected in pairs:
                torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)
    first, second = (torch.cat([g.flatten() for g in ours(net, *sinusoid(3), 5, order)]) for order in (False, True))
    assert (first - second).norm() > 1e-2 * second.norm()  # the two differ, so that the test can tell them apart


def test_a_finite_difference_agrees_with_the_second_order_gradient():
    net, (support, query) = network(), sinusoid(4)
    slopes = ours(net, support, query, 3, True)

    def value(shift):
        moved = {k: p.detach() + shift * s for (k, p), s in zip(net.named_parameters(), slopes, strict=True)}
        now = {k: p.requires_grad_() for k, p in moved.items()}
        now = descend(
            now, lambda at, _: (functional_call(net, at, (support[0],)) - support[1]).square().mean(), 3, 0.01
        )
        return (functional_call(net, now, (query[0],)) - query[1]).square().mean().item()

    size = sum(s.square().sum() for s in slopes).item()
    assert abs((value(1e-6) - value(-1e-6)) / 2e-6 - size) < 1e-5 * size


def test_prototypes_are_the_means_of_their_classes_and_scores_are_distances_to_them():
    features = torch.tensor([[0.0, 0.0], [4.0, 0.0], [2.0, 2.0], [0.0, 3.0]])
    centres = prototypes(features, torch.tensor([1, 0, 1, 2]), 3)
    assert centres.tolist() == [[4.0, 0.0], [1.0, 1.0], [0.0, 3.0]]
    assert prototype_scores(torch.tensor([[1.0, 0.0]]), centres).tolist() == [[-9.0, -1.0, -10.0]]
    cosine = prototype_scores(torch.tensor([[2.0, 0.0]]), centres, 'cosine')
    torch.testing.assert_close(cosine, torch.tensor([[1.0, 0.5**0.5, 0.0]]))
