from mmkd_video.core.text_table import aligned


def test_columns_are_aligned_under_a_header_with_a_rule():
    table = [('model', 'runtime', 'x'), ('[bold]a', 'openvino int8', '1.0'), ('', 'eager', '12.5')]
    assert aligned(table, left=2) == [
        'model    runtime           x',
        '----------------------------',
        '[bold]a  openvino int8   1.0',
        '         eager          12.5',
    ]


def test_long_lines_are_not_broken_and_nothing_hangs_over():
    header, rule, row = aligned([('measure', 'target'), ('x' * 500, '')], left=2)
    assert (header, rule, row) == ('measure' + ' ' * 495 + 'target', '-' * 508, 'x' * 500)


def test_a_table_without_a_header_has_no_rule():
    assert aligned([('file', 'a.onnx'), ('parity', 'passed')], left=2, rule=False) == [
        'file    a.onnx',
        'parity  passed',
    ]
