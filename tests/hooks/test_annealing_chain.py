"""Which proposals are kept, and with which probability."""

import json
import math

import pytest

from mmkd_video.core.plain_data import read_json
from mmkd_video.hooks.annealing_chain import DONE, STATE, AnnealingChain


def chain(steps=3, temperature=0.1, seed=0, names=('a', 'b'), **more):
    settings = dict(spread=0.3, bound=10.0, cooling=0.5) | more
    return AnnealingChain(names, steps=steps, temperature=temperature, seed=seed, **settings)


def run(made, scores, first=1):
    return [made.observe(score, at) for at, score in enumerate(scores, first)]


def test_kept_numbers_and_proposals_take_turns_and_the_search_ends():
    made, seen = chain(steps=2), []
    for at, score in enumerate([0.1, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8], 1):
        made.observe(score, at)
        seen.append(made.current == made.kept)
    # first, kept: a proposal; tried: decided; kept: a proposal; tried: decided, and done
    assert seen == [True, False, True, False, True, True, True]
    assert made.phase == DONE and len(made.trials) == 2 and made.seen == 5


def test_a_proposal_that_gains_as_much_is_kept_and_gains_are_those_of_each_interval():
    made = chain(steps=1, temperature=0.0)
    first = dict(made.kept)
    *_, trial = run(made, [0.5, 0.6, 0.75])
    assert (trial.gain, trial.kept_gain) == pytest.approx((0.15, 0.1)) and trial.probability == 1.0
    assert trial.accepted and made.kept == trial.factors != first


def test_without_a_temperature_nothing_worse_is_kept():
    made = chain(steps=1, temperature=0.0)
    *_, trial = run(made, [0.5, 0.6, 0.65])
    assert trial.probability == 0.0 and not trial.accepted and made.kept == dict(a=1.0, b=1.0) == made.current


def test_the_probability_is_that_of_metropolis_and_cools():
    made = chain(steps=2, temperature=0.1)
    _, _, trial, _, second = run(made, [0.5, 0.6, 0.6, 0.7, 0.7])
    assert trial.probability == pytest.approx(math.exp(-0.1 / 0.1))
    assert second.probability == pytest.approx(math.exp(-0.1 / 0.05))


def test_as_many_worse_proposals_are_kept_as_the_probability_says():
    kept = [run(chain(steps=1, seed=seed), [0.5, 0.6, 0.6])[-1].accepted for seed in range(600)]
    assert sum(kept) / 600 == pytest.approx(math.exp(-1), abs=0.06)


def test_draws_follow_from_the_seed_and_stay_within_bounds():
    factors = [run(chain(steps=1, seed=seed), [0, 0, 0])[-1].factors for seed in (0, 0, 1)]
    assert factors[0] == factors[1] != factors[2]
    logs = [math.log(run(chain(steps=1, seed=seed, names=('a',)), [0, 0, 0])[-1].factors['a']) for seed in range(400)]
    assert sum(logs) / 400 == pytest.approx(0, abs=0.05)
    assert math.sqrt(sum(log**2 for log in logs) / 400) == pytest.approx(0.3, abs=0.03)
    wild = chain(steps=20, spread=5.0, bound=4.0)
    run(wild, [at / 100 for at in range(50)])
    values = [value for trial in wild.trials for value in trial.factors.values()]
    assert min(values) == 0.25 and max(values) == 4.0


def test_a_search_that_is_cut_anywhere_goes_on_as_the_whole():
    scores = [0.1, 0.15, 0.3, 0.31, 0.31, 0.4, 0.38, 0.5]
    whole = chain()
    run(whole, scores)
    for cut in range(1, len(scores)):
        first, second = chain(), chain()
        run(first, scores[:cut])
        second.restore(read_json(json.dumps(first.state()), STATE, 'state'))
        run(second, scores[cut:], first=cut + 1)
        assert second.state() == whole.state(), cut


def test_a_validation_that_was_seen_is_left_out():
    made = chain()
    run(made, [0.1, 0.2])
    before = made.state()
    assert made.observe(0.9, 2) is None and made.state() == before


@pytest.mark.parametrize('key', ['phase', 'kept', 'trials', 'last', 'seen'])
def test_a_damaged_state_is_refused(key):
    state = chain().state() | {key: 'x'}
    with pytest.raises(ValueError, match=f'state.{key}: '):
        read_json(json.dumps(state), STATE, 'state')
