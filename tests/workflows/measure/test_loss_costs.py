"""What losses cost beside KDLoss: judged against the targets, and read back from the file that pages quote."""

import pytest
import yaml

from mmkd_video.benchmark import Interval, Timings
from mmkd_video.workflows.measure.loss_costs import LossCost, LossCosts
from mmkd_video.workflows.measure.losses import loss_costs, target_of
from mmkd_video.workflows.measure.pair import BenchmarkPair

KD = dict(type='KDLoss', at='logits')
MAP = ('backbone.conv2', 'backbone.layer4')


def pair(*terms):
    return BenchmarkPair({}, {}, list(terms), {}, {}, 2)


@pytest.mark.parametrize(
    ('terms', 'target'),
    [
        ([dict(type='DKDLoss', at='logits')], 1.01),
        ([KD, dict(type='FitNetLoss', at=MAP)], 1.05),
        ([KD, dict(type='RKDLoss', at='pooled')], 1.05),
        ([KD, dict(type='FSPLoss', at=[MAP, MAP])], 1.05),
        ([KD, dict(type='CRDLoss', at='pooled')], None),
        ([KD, dict(type='MGDLoss', at=MAP)], None),
    ],
)
def test_targets_follow_what_is_read(terms, target):
    assert target_of(terms) == target


def test_ratios_are_taken_round_by_round_and_memory_above_the_baseline():
    pairs = dict(kd=pair(KD), at=pair(KD, dict(type='ATLoss', at=MAP)))
    timings = dict(kd=Timings(cpu=[1.0, 10.0]), at=Timings(cpu=[1.2, 11.0]))
    costs = loss_costs(pairs, timings, dict(kd=[100, 300, 200], at=[260]), 'kd')
    assert list(costs) == ['at']
    assert costs['at'].time.median == pytest.approx(1.15) and costs['at'].memory == 60
    assert costs['at'].terms == 'KDLoss at logits, ATLoss at backbone.conv2'
    assert loss_costs(pairs, timings, {}, 'kd')['at'].memory is None


def measured() -> LossCosts:
    slow, wide, near = (
        Interval(1.08, 1.06, 1.1, 0.95),
        Interval(1.08, 1.04, 1.1, 0.95),
        Interval(1.04, 1.03, 1.06, 0.95),
    )
    costs = dict(
        near=LossCost('n', near, 1.05),
        slow=LossCost('a', slow, 1.05, 2_500_000),
        wide=LossCost('b', wide, 1.05),
        stated=LossCost('c', slow, None, -100_000),
    )
    return LossCosts('title', dict(measured='so'), costs, dict(seconds=[1]))


def test_a_target_is_met_if_median_and_upper_end_keep_it():
    lines = measured().as_markdown().splitlines()
    assert lines[-4] == '| near | n | 1.040 x | 1.030 x to 1.060 x | <= 1.050 x | met |  |'
    assert lines[-3] == '| slow | a | 1.080 x | 1.060 x to 1.100 x | <= 1.050 x | NOT met | +2.5 MB |'
    assert lines[-2] == '| wide | b | 1.080 x | 1.040 x to 1.100 x | <= 1.050 x | not shown |  |'
    assert lines[-1] == '| stated | c | 1.080 x | 1.060 x to 1.100 x | stated |  | -0.1 MB |'
    assert len({line.count('|') for line in lines[-6:]}) == 1
    assert 'NOT met' in measured().as_text()


def test_costs_are_settled_where_the_target_can_be_judged():
    costs = measured().costs
    assert [cost.row(name).settled for name, cost in costs.items()] == [False, True, False, True]


def test_the_file_gives_back_what_was_written():
    costs = measured()
    saved = yaml.safe_load(yaml.safe_dump(costs.summary(), sort_keys=False))
    read = LossCosts.from_dict(saved)
    assert read.as_markdown() == costs.as_markdown() and read.raw == {}
    assert costs.as_dict()['raw'] == dict(seconds=[1])
