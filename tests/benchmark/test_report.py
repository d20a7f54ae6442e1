import json

import pytest

from mmkd_video.benchmark import Interval, Report, Row


def ratio(low, median, high, target=1.05, coverage=0.95):
    return Row('a', median, 'ratio', Interval(median, low, high, coverage), target)


@pytest.mark.parametrize(
    ('row', 'verdict'),
    [
        (ratio(1.01, 1.04, 1.06), 'met'),  # up to 1 % of 1.04 above the target
        (ratio(1.01, 1.04, 1.061), 'not shown'),
        (ratio(1.043, 1.053, 1.064), 'not shown'),  # the median is above
        (ratio(1.04, 1.0501, 1.0502), 'not shown'),
        (ratio(1.051, 1.053, 1.064), 'NOT met'),
        (ratio(0.9, 0.9, 0.9, coverage=0.5), 'not shown'),  # too few rounds for an interval
        (Row('a', None, 'ratio', None, 1.02), 'not shown'),
        (Row('a', 1.0, 'ratio', None, 1.1), 'met'),
        (Row('a', 1.2, 'ratio', None, 1.1), 'NOT met'),
        (Row('a', 90.0, 'bytes', None, 100.0, exact=True), 'NOT met'),
        (Row('a', 100.0, 'bytes', None, 100.0, exact=True), 'met'),
        (Row('a', 1.0, 's'), None),
    ],
)
def test_median_and_upper_end_decide(row, verdict):
    assert row.verdict == verdict
    assert row.met is (None if verdict is None else verdict == 'met')


@pytest.mark.parametrize(
    ('row', 'settled'),
    [
        (ratio(1.04, 1.05, 1.06), True),  # narrow
        (ratio(1.04, 1.05, 1.0606), False),
        (ratio(1.0394, 1.05, 1.06), False),
        (ratio(1.051, 1.2, 1.3), True),  # wide, and wholly on one side
        (ratio(0.8, 0.9, 1.05), True),
        (ratio(0.9, 0.9, 0.9, coverage=0.9), False),
        (Row('a', 1.0, 's', Interval(1.0, 0.5, 2.0, 0.95)), True),
        (Row('a', 1.2, 'ratio', None, 1.1), True),
    ],
)
def test_more_rounds_are_wanted_until_the_interval_is_narrow_or_on_one_side(row, settled):
    assert row.settled is settled


def test_what_other_load_forbade_to_measure_is_no_number():
    row = Row.of('step', 's', None, 1.0)
    assert row.cells() == ('step', 'not measured: other load', '', '<= 1000.0 ms', 'not shown')
    assert Row.of('step', 's', Interval(2.0, 1.0, 3.0, 0.95)).value == 2.0


def test_table_and_json_hold_every_row():
    interval = Interval(0.0123, 0.012, 0.0125, 0.96)
    rows = [Row('step', 0.0123, 's', interval), Row('size', 2.5e6, 'bytes', None, 2e6, exact=True)]
    report = Report('A title', {'measured': 'here'}, rows, {'seconds': [1.0]})
    assert rows[0].cells() == ('step', '12.3 ms', '12.0 ms to 12.5 ms', '', '')
    assert rows[1].cells() == ('size', '2.50 MB', '', '= 2.00 MB', 'NOT met')
    assert Row('calls', 1.0, 'count').cells()[1] == '1'
    assert '| size | 2.50 MB |  | = 2.00 MB | NOT met |' in report.as_markdown().splitlines()
    assert 'measured: here' in report.as_text()
    loaded = json.loads(json.dumps(report.as_dict()))
    assert [row['verdict'] for row in loaded['rows']] == [None, 'NOT met']
    assert Report.from_dict(loaded) == report
    assert loaded['raw'] == {'seconds': [1.0]}
