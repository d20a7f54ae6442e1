"""Notes and results that tools left in a folder, damaged: never a traceback, and what can be done again is."""

import ast
import json
import logging
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger

from dev import report
from mmkd_video.cli import compare
from mmkd_video.workflows.compare.arms import Arm
from mmkd_video.workflows.compare.runs import Ledger
from mmkd_video.workflows.compare.stretch import fixed_length
from mmkd_video.workflows.train import teacher_check
from mmkd_video.workflows.train.flow_baseline import Score
from mmkd_video.workflows.train.learning_rate import RateTrials
from mmkd_video.workflows.train.run_folder import RunFolder

PACKAGE = Path(__file__).parents[2] / 'mmkd_video'
DEEP = '[' * 100_000
DAMAGES = {
    'cut off': b'{"a": 1, "b',
    'no text': b'\xff\xfe\x00{',
    'too deep': DEEP.encode(),
    'deep within': b'{"a": ' + b'[' * 30 + b']' * 30 + b'}',
    'a list': b'[]',
    'null': b'null',
    'a number': b'7',
    'empty': b'',
}
damaged = pytest.mark.parametrize('content', DAMAGES.values(), ids=DAMAGES)
# Command lines and what was just written are no files that somebody may have damaged.
NO_FILES = {
    'core/plain_data.py',
    'workflows/measure/training_memory.py',
    'workflows/measure/deployment_memory.py',
    'workflows/measure/scaling.py',
    'workflows/measure/sent_bytes.py',
    'cli/option_values.py',
    'export/metadata.py',
}


@pytest.fixture
def warnings(caplog):
    caplog.set_level('WARNING')
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


@damaged
def test_a_damaged_result_counts_as_none(content, tmp_path):
    (tmp_path / 'result.json').write_bytes(content)
    assert RunFolder(tmp_path, Config(dict(model=dict()))).read() is None


@damaged
def test_a_damaged_trial_is_left_out_with_its_line(content, tmp_path, warnings):
    good = b'{"seed": 3, "purpose": "tuning"}'
    (tmp_path / 'trials.jsonl').write_bytes(b'\n'.join([good, content, b'{"seed": []}', good.replace(b'3', b'4')]))
    assert Ledger(tmp_path).seeds('tuning') == {3, 4}
    said = [record.getMessage() for record in warnings.records if record.levelno == logging.WARNING]
    assert len(said) == (2 if content else 1)
    assert all('trials.jsonl:' in each and 'left out' in each and '\n' not in each for each in said)


@pytest.mark.parametrize(
    'content', [*DAMAGES.values(), b'{"a": 7}', b'{"a": {}}', b'{"a": {"ratio": 1.5, "length": "x"}}']
)
def test_a_damaged_note_of_lengths_is_told_with_what_to_do(content, tmp_path):
    (tmp_path / 'as_long.json').write_bytes(content)
    arm = Arm('distilled', 'a', Config(), 'distilled')
    with pytest.raises(ValueError) as refused:
        fixed_length(tmp_path, arm, 4, [], [])
    said = str(refused.value)
    assert 'as_long.json' in said and 'delete it' in said and '\n' not in said


@damaged
def test_a_rate_is_chosen_anew_where_its_note_is_damaged(content, tmp_path):
    config = Config(dict(work_dir=str(tmp_path), optim_wrapper=dict(optimizer=dict(lr=0.02))))
    trials = RateTrials(config, (0.3,))
    trials.note.write_bytes(content)
    assert not trials.exists()
    note = dict(rate=0.02, factors=[0.3, 1.0], chosen=0.3, training=trials._training())
    trials.note.write_text(json.dumps(note))
    assert trials.chosen() == 0.3
    for wrong in (dict(chosen='0.3'), dict(training='of another')):
        trials.note.write_text(json.dumps({**note, **wrong}))
        assert not trials.exists()


@damaged
def test_a_reference_is_measured_anew_where_its_note_is_damaged(content, tmp_path, monkeypatch):
    monkeypatch.setattr(teacher_check, 'lists_of', lambda config: dict(train=[('a.mp4', 0)], val=[('b.mp4', 1)]))
    monkeypatch.setattr(teacher_check.FlowBaseline, 'score', lambda *given: Score('val', 1, 2))
    (tmp_path / 'reference.json').write_bytes(content)
    assert teacher_check.reference_on_validation(Config(), tmp_path) == (0.5, 2)
    monkeypatch.delattr(teacher_check.FlowBaseline, 'score')
    assert teacher_check.reference_on_validation(Config(), tmp_path) == (0.5, 2)


def told(main, arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    said = capsys.readouterr().err.strip()
    assert stopped.value.code == 1 and 'Traceback' not in said
    return said.splitlines()[-1]


@damaged
def test_seeds_are_not_added_to_a_damaged_table(content, tmp_path, capsys):
    (tmp_path / 'c.py').write_text("model = dict(type='A')")
    (tmp_path / 'compare.json').write_bytes(content)
    arguments = [str(tmp_path / 'c.py'), '--work-dir', str(tmp_path), '--add-seeds', '7']
    said = told(compare.main, arguments, capsys)
    assert f'{tmp_path / "compare.json"} is not what tools/compare.py writes' in said


@damaged
def test_a_damaged_table_is_not_recorded(content, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(PACKAGE.parent)
    (tmp_path / 'compare.json').write_bytes(content)
    said = told(report.main, [str(tmp_path)], capsys)
    assert f'{tmp_path / "compare.json"} is not what tools/compare.py writes (ValueError: ' in said


def test_no_file_is_read_as_json_unchecked():
    found = set()
    for path in PACKAGE.rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ('load', 'loads') and ast.unparse(node.value) == 'json':
                found.add(path.relative_to(PACKAGE).as_posix())
    assert found == NO_FILES
