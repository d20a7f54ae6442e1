import gc

import pytest

from mmkd_video.benchmark import measure_interleaved


def recorded(names, log):
    return {name: lambda name=name: log.append((name, gc.isenabled())) for name in names}


def test_every_round_holds_every_variant_once_in_changing_order():
    log, shown = [], []
    timings = measure_interleaved(recorded('abc', log), rounds=8, warmup=2, progress=lambda *at: shown.append(at))
    rounds = [tuple(name for name, _ in log[i : i + 3]) for i in range(0, len(log), 3)]
    assert len(rounds) == 10
    assert all(sorted(each) == ['a', 'b', 'c'] for each in rounds)
    assert len(set(rounds)) > 1
    assert all(len(each.wall) == len(each.cpu) == 8 for each in timings.values())
    assert shown[-1] == (8, 8)


def test_the_seed_fixes_the_orders():
    logs = [[], [], []]
    for log, seed in zip(logs, (0, 0, 1), strict=True):
        measure_interleaved(recorded('abcd', log), rounds=5, warmup=0, seed=seed)
    assert logs[0] == logs[1] != logs[2]


def test_settles_before_each_measured_call_outside_the_time():
    log = []
    timings = measure_interleaved(recorded('ab', log), rounds=2, warmup=0, settle=2)
    assert len(log) == 2 * 2 * 3 and all(len(each.wall) == 2 for each in timings.values())


def test_garbage_is_collected_before_settling_not_after(monkeypatch):
    log = []
    monkeypatch.setattr(gc, 'collect', lambda: log.append('collect'))
    measure_interleaved({'a': lambda: log.append('a')}, rounds=1, warmup=0, settle=2)
    assert log == ['collect', 'collect', 'a', 'a', 'a']  # the first is that of the whole measurement


def test_no_garbage_is_collected_during_a_call_and_the_collector_comes_back():
    log = []
    measure_interleaved(recorded('a', log), rounds=2, warmup=0)
    assert not any(enabled for _, enabled in log)
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        measure_interleaved({'a': lambda: 1 / 0}, rounds=1)
    assert gc.isenabled()


def test_nothing_to_measure_is_an_error():
    with pytest.raises(ValueError, match='0 variants'):
        measure_interleaved({}, rounds=1)
    with pytest.raises(ValueError, match='rounds=0'):
        measure_interleaved(recorded('a', []), rounds=0)
