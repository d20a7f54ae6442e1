import json

import pytest

from mmkd_video.benchmark import Interval, Report, Row


@pytest.mark.parametrize(
    ('row', 'met'),
    [
        (Row('a', 1.03, 'ratio', Interval(1.03, 1.02, 1.04, 0.95), 1.02), True),
        (Row('a', 1.03, 'ratio', Interval(1.03, 1.021, 1.04, 0.95), 1.02), False),
        (Row('a', 1.0, 'ratio', None, 1.1), True),
        (Row('a', 90.0, 'bytes', None, 100.0, exact=True), False),
        (Row('a', 100.0, 'bytes', None, 100.0, exact=True), True),
        (Row('a', 1.0, 's'), None),
    ],
)
def test_the_lower_end_decides(row, met):
    assert row.met is met


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
    assert [row['met'] for row in loaded['rows']] == [None, False]
    assert loaded['raw'] == {'seconds': [1.0]}
