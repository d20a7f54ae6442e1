import gc

import pytest

from mmkd_video.benchmark import LoadWatch, Rounds, measure_interleaved


class Machine:
    """Processors on which time passes only when something is called, and which others use as they like."""

    def __init__(self, others=0.0, processors=2):
        self.now = self.ours = self.busy = 0.0
        self.others, self.processors = others, processors

    def work(self, seconds, share=1.0):
        """Use one processor for some time; ``share`` of it is ours."""
        self.now += seconds
        self.ours += seconds * share
        self.busy += seconds * share + seconds * self.others

    def watch(self, tells=True):
        busy = (lambda: self.busy) if tells else (lambda: None)
        return LoadWatch(lambda: self.ours, busy, lambda: self.now, self.processors)


def measured(variants, rounds, watch=None, **more):
    return measure_interleaved(variants, rounds, watch or Machine().watch(), **more)


def recorded(names, log):
    return {name: lambda name=name: log.append((name, gc.isenabled())) for name in names}


def test_every_round_holds_every_variant_once_in_changing_order():
    log, shown = [], []
    timings = measured(recorded('abc', log), Rounds(8, warmup=2), progress=lambda *at: shown.append(at))
    rounds = [tuple(name for name, _ in log[i : i + 3]) for i in range(0, len(log), 3)]
    assert len(rounds) == 10
    assert all(sorted(each) == ['a', 'b', 'c'] for each in rounds)
    assert len(set(rounds)) > 1 and list(timings) == ['a', 'b', 'c']
    assert all(len(each.wall) == len(each.cpu) == 8 for each in timings.values())
    assert shown[-1] == (8, 8)


def test_the_seed_fixes_the_orders():
    logs = [[], [], []]
    for log, seed in zip(logs, (0, 0, 1), strict=True):
        measured(recorded('abcd', log), Rounds(5, warmup=0, seed=seed))
    assert logs[0] == logs[1] != logs[2]


def test_settles_before_each_measured_call_outside_the_time():
    log = []
    timings = measured(recorded('ab', log), Rounds(2, warmup=0), untimed_calls=2)
    assert len(log) == 2 * 2 * 3 and all(len(each.wall) == 2 for each in timings.values())


def test_garbage_is_collected_before_settling_not_after(monkeypatch):
    log = []
    monkeypatch.setattr(gc, 'collect', lambda: log.append('collect'))
    measured({'a': lambda: log.append('a')}, Rounds(1, warmup=0), untimed_calls=2)
    assert log == ['collect', 'collect', 'a', 'a', 'a']  # the first is that of the whole measurement


def test_no_garbage_is_collected_during_a_call_and_the_collector_comes_back():
    log = []
    measured(recorded('a', log), Rounds(2, warmup=0))
    assert not any(enabled for _, enabled in log)
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        measured({'a': lambda: 1 / 0}, Rounds(1))
    assert gc.isenabled()


def test_nothing_to_measure_is_an_error():
    with pytest.raises(ValueError, match='0 variants'):
        measured({}, Rounds(1))
    with pytest.raises(ValueError, match='rounds: got 0; expected at least 1'):
        Rounds(0)
    with pytest.raises(ValueError, match='most rounds: got 2, fewer than the 3'):
        Rounds(3, 2)


def test_rounds_are_added_until_there_is_enough():
    asked = []

    def enough(timings):
        asked.append(len(timings['a'].wall))
        return asked[-1] >= 7

    machine = Machine()
    timings = measured(dict(a=lambda: machine.work(1.5)), Rounds(4, 20, 0, enough=enough), machine.watch())
    assert asked == [4, 5, 6, 7] and len(timings['a'].wall) == 7
    asked.clear()
    timings = measured(dict(a=lambda: machine.work(0.1)), Rounds(4, 6, 0, enough=enough), machine.watch())
    assert asked == [4] and len(timings['a'].cpu) == 6  # no more than the most, whatever is missing


def test_rounds_beside_other_load_are_measured_again():
    machine, calls = Machine(), []

    def call():
        calls.append(machine.others)
        machine.others = 1.0 if len(calls) in (2, 3) else 0.0  # another program works during the third and fourth call
        machine.work(2.0)

    watch = machine.watch()
    timings = measured(dict(a=call), Rounds(5, warmup=0), watch)
    assert len(calls) == 7 and len(timings['a'].wall) == 5 and not timings['a'].disturbed
    assert (watch.disturbed, watch.gave_up) == (2, False)


@pytest.mark.parametrize(('others', 'share', 'tells'), [(1.0, 1.0, True), (0.0, 0.5, False)])
def test_it_is_given_up_where_other_load_does_not_end(others, share, tells):
    machine = Machine(others)
    watch = machine.watch(tells)
    timings = measured(dict(a=lambda: machine.work(2.0, share)), Rounds(3, 50, 0), watch)
    assert timings['a'].disturbed and len(timings['a'].cpu) == 7  # more than twice as many as were wanted
    assert watch.gave_up
    timings = measured(dict(a=lambda: machine.work(2.0, share)), Rounds(3, 50, 0), watch)
    assert timings['a'].disturbed and len(timings['a'].cpu) == 4  # with less patience
