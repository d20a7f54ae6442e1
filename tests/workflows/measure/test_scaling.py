"""What the processes of a distillation send: the student's gradients, and nothing of the teacher."""

import socket
from pathlib import Path

import pytest

from mmkd_video.core.mistakes import WorkFailedError
from mmkd_video.workflows.measure.scaling import scaling_rows, train_together
from mmkd_video.workflows.measure.sent_bytes import bytes_acknowledged

ROOT = Path(__file__).resolve().parents[3]


def test_the_bytes_of_a_connection_are_counted():
    with socket.socket() as listening:
        listening.bind(('127.0.0.1', 0))
        listening.listen()
        with socket.create_connection(listening.getsockname()) as here, listening.accept()[0] as there:
            before, received = bytes_acknowledged(), 0
            here.sendall(bytes(100_000))
            while received < 100_000:
                received += len(there.recv(65536))
            assert 100_000 <= bytes_acknowledged() - before <= 100_010


def test_ratios_are_of_the_same_number_of_processes():
    sent = {('student', 2): 100, ('logits', 2): 100, ('features', 2): 150}
    sent |= {('student', 4): 200, ('logits', 4): 210, ('features', 4): 250}
    found = {key: [dict(sent=value - 1), dict(sent=value + 1)] for key, value in sent.items()}
    rows = {row.name: row for row in scaling_rows(found, [2, 4])}
    assert rows['distilled, feature terms, 4 processes'].value == 250
    met, missed = (rows[f'distilled, logits / student alone, {number} processes'] for number in (2, 4))
    assert (met.value, met.verdict) == (1.0, 'met') and (missed.value, missed.verdict) == (1.05, 'NOT met')


def test_a_process_that_fails_is_told(tmp_path, monkeypatch):
    (tmp_path / 'torch.py').write_text('raise ImportError("broken on purpose")')
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    with pytest.raises(WorkFailedError, match=r'(?s)rank 0 of 2 \(student\) failed:.*broken on purpose'):
        train_together(dict(pair={}, variant='student', threads=1), 2)


@pytest.mark.slow
def test_two_processes_send_the_students_gradients_alone(tiny, monkeypatch):
    monkeypatch.chdir(tiny.folder)
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    features = ['backbone.layer1:backbone.layer1']
    pair = dict(config='distill.py', clips='', batch_size=2, features=features)
    ranks = train_together(dict(pair=pair, variant='features', threads=1), 2)
    assert [rank['frozen'] > 10_000 for rank in ranks] == [True, True]
    for rank in ranks:  # a ring of two sends each gradient once
        assert rank['trained'] <= rank['sent'] <= rank['trained'] + 5000
