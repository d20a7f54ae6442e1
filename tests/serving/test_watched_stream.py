"""The command: a model calibrated on a folder of real videos, and streams that are like them or not."""

import json

import cv2
import numpy as np
import pytest
from clips import encode
from streams import export_tiny

from mmkd_video.cli.stream import main


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    return str(export_tiny(tmp_path_factory.mktemp('model'), suffix='.xml'))


def run(*arguments):
    return main([*map(str, arguments), '--threads', '1'])


def fails(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    (error,) = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 1
    return error


def test_a_stream_is_watched_for_drift(model, tmp_path, capsys):
    """Calibrated on real videos; one like them is left alone, one of white pictures is told in a line of its own."""
    ordinary, reference, white = tmp_path / 'ordinary', tmp_path / 'watch.json', tmp_path / 'white.mp4'
    ordinary.mkdir()
    for number in range(12):
        encode(ordinary / f'{number}.mp4', number % 5, frames=40, seed=number)
    encode(tmp_path / 'like.mp4', 2, frames=40, seed=99)
    writer = cv2.VideoWriter(str(white), cv2.VideoWriter_fourcc(*'mp4v'), 12, (64, 64))
    for _ in range(60):
        writer.write(np.full((64, 64, 3), 255, np.uint8))
    writer.release()
    blocks = ('--watch-windows', 4, '--false-alarms', 0.05)
    assert run(ordinary, '--model', model, '--hop', 4, '--calibrate', reference, *blocks) == 0
    assert f'{reference}: 12 videos, mean confidence' in capsys.readouterr().err
    assert json.loads(reference.read_text())['windows'] == 4
    for source, drifts in ((tmp_path / 'like.mp4', 0), (white, 1)):
        assert run(source, '--model', model, '--hop', 4, '--watch', reference) == 0
        said = capsys.readouterr()
        lines = [json.loads(line) for line in said.out.splitlines()]
        found = [place for place, line in enumerate(lines) if 'drift' in line]
        assert len(found) == drifts and (f'warning: {source}: drift from 0.0 to' in said.err) == bool(drifts)
        assert all('top' in line for place, line in enumerate(lines) if place not in found)
    assert found == [4] and lines[4]['drift']['windows'] == 4 and lines[4]['drift']['start'] == 0
    more = ('--model', model, '--watch', reference)
    assert '--watch: the file was calibrated with other windows (--hop 4, here 5)' in fails(
        capsys, white, *more, '--hop', 5
    )
    assert '--watch is for one video' in fails(capsys, ordinary, *more)
    assert f'{reference} exists' in fails(capsys, ordinary, '--model', model, '--calibrate', reference)
    assert 'expected a folder of ordinary videos' in fails(capsys, white, '--model', model, '--calibrate', 'x.json')
