import pytest

from mmkd_video.serving import StreamStatistics


def test_what_is_told():
    statistics = StreamStatistics(frames=50, corrupt=2, dropped=3, began=100.0, ended=102.0)
    assert statistics.latency(0.5) == 0
    for milliseconds in range(1, 12):
        statistics.add_latency(milliseconds / 1e3)
    assert statistics.fps == 25
    assert statistics.latency(0.5) == pytest.approx(0.006) and statistics.latency(0.9) == pytest.approx(0.010)
    expected = '11 windows, 3 dropped, 50 frames, 2 corrupt, 25.0 fps, latency 6.0 ms (p90 10.0)'
    assert str(statistics) == expected
    assert statistics.short() == '25 fps | 6 ms (p90 10) | 3 dropped | 2 corrupt'
    statistics.losses = 2
    assert 'source lost 2 times' in str(statistics)


def test_latencies_do_not_pile_up():
    statistics = StreamStatistics()
    for _ in range(1500):
        statistics.add_latency(1.0)
    for _ in range(1000):
        statistics.add_latency(2.0)
    assert statistics.windows == 2500 and statistics.latency(0) == 2
    assert len(statistics._latencies) == 1000
