import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from mmkd_video import compat
from mmkd_video.cli.doctor import command as doctor
from mmkd_video.cli.doctor import known_breaks, probes, promises, versions
from mmkd_video.cli.doctor.check_result import CheckResult

ROOT = Path(__file__).parents[3]


@pytest.fixture
def pretend(monkeypatch):
    """Pretend that distributions have other versions; None means missing."""

    def set_versions(**found):
        real = versions.installed
        by_name = {name.replace('_', '-'): version for name, version in found.items()}
        monkeypatch.setattr(versions, 'installed', lambda name: by_name[name] if name in by_name else real(name))
        return {item.subject: item for item in versions.check_versions()}

    return set_versions


@pytest.fixture
def healthy(monkeypatch):
    """A machine on which every section has one good line."""
    for name in ('check_versions', 'check_breaks', 'run_probes', 'check_promises'):
        monkeypatch.setattr(doctor, name, lambda name=name: [CheckResult(name, 'found', 'needed', 'ok')])


@pytest.mark.slow
def test_the_command_reports_and_leaves_with_zero():
    done = subprocess.run(
        [sys.executable, '-m', 'mmkd_video', 'doctor'], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'All is well' in done.stdout
    assert torch.__version__ in done.stdout


def test_an_optional_package_may_be_absent_but_not_of_another_version(pretend):
    found = pretend(nncf=None, openvino='2025.1.0')
    assert found['nncf'].state == 'ok' and found['nncf'].found == 'absent'
    assert found['openvino'].state == 'act' and 'mmkd_video[openvino]' in found['openvino'].remedy


def test_optional_ranges_are_those_of_the_extras():
    for name, (lowest, too_new, extra, _) in versions.OPTIONAL.items():
        lines = (ROOT / 'requirements' / f'{extra}.txt').read_text().splitlines()
        (line,) = [re.split('[#;]', text)[0].strip() for text in lines if re.split('[=<>]', text)[0] == name]
        assert line in (f'{name}>={lowest},<{too_new}', f'{name}=={lowest}')


def test_an_unknown_command_names_the_known_ones():
    done = subprocess.run(
        [sys.executable, '-m', 'mmkd_video', 'docter'], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 2
    assert 'doctor' in done.stderr


def test_healthy_is_zero(healthy, capsys):
    assert doctor.main([]) == 0
    assert 'All is well' in capsys.readouterr().out


def test_one_thing_to_do_is_one_with_its_command(healthy, monkeypatch, capsys):
    bad = CheckResult('numpy', 'missing', '>=1.24', 'act', "pip install 'numpy>=1.24'")
    monkeypatch.setattr(doctor, 'check_versions', lambda: [bad, bad])
    assert doctor.main([]) == 1
    todo = capsys.readouterr().out.split('To do:')[1]
    assert todo.count("pip install 'numpy>=1.24'") == 1


def test_notes_and_mended_breaks_ask_for_nothing(healthy, monkeypatch):
    items = [CheckResult('a', 'b', 'c', 'note', 'd'), CheckResult('a', 'b', 'c', 'mended')]
    monkeypatch.setattr(doctor, 'check_breaks', lambda: items)
    assert doctor.main([]) == 0


def test_nothing_is_tried_while_a_version_is_wrong(healthy, monkeypatch):
    tried = []
    monkeypatch.setattr(doctor, 'run_probes', lambda: tried.append(1) or [CheckResult('a', 'b', 'c', 'ok')])
    doctor.main([])
    assert tried == [1]
    monkeypatch.setattr(doctor, 'check_versions', lambda: [CheckResult('numpy', 'missing', '>=1', 'act', 'pip')])
    assert doctor.main([]) == 1
    assert tried == [1]


def test_the_command_runs_where_the_stack_does_not_import(tmp_path):
    for name in ('torch', 'mmengine', 'mmaction'):
        (tmp_path / f'{name}.py').write_text('raise ImportError("broken on purpose")')
    done = subprocess.run(
        [sys.executable, '-m', 'mmkd_video', 'doctor'],
        cwd=ROOT,
        env=dict(os.environ, PYTHONPATH=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (1, '')
    assert 'To do:' in done.stdout


def test_the_doctor_itself_needs_nothing_of_the_stack(tmp_path):
    # A package of this name whose __init__ imports nothing, and a stack of which nothing imports.
    code = f"""
        import sys, types
        package = types.ModuleType('mmkd_video')
        package.__path__ = [{str(ROOT / 'mmkd_video')!r}]
        sys.modules['mmkd_video'] = package
        for name in ('torch', 'numpy', 'cv2', 'decord', 'mmcv', 'mmengine', 'mmaction'):
            sys.modules[name] = None
        from mmkd_video.cli.doctor import command as doctor
        sys.exit(doctor.main([]))
        """
    done = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (1, '')
    assert 'To do:' in done.stdout


def test_columns_are_aligned():
    items = [CheckResult('short', 'x', 'right', 'ok'), CheckResult('much longer', 'y', 'right', 'mended')]
    lines = doctor.table('title', items).splitlines()[1:]
    assert len({line.index('right') for line in lines}) == 1


@pytest.mark.parametrize(
    ('found', 'subject', 'command'),
    [
        ({'mmengine': '0.11.0rc0'}, 'mmengine', "pip install 'mmengine>=0.10.4,<0.11'"),
        ({'mmaction2': None}, 'mmaction2', "pip install 'mmaction2>=1.2.0,<1.3'"),
        ({'torch': '2.1.0+cu118'}, 'torch', "pip install 'torch>=2.6'"),
        ({'setuptools': '82.0.0'}, 'setuptools', "pip install 'setuptools<81'"),
        ({'importlib_metadata': None}, 'importlib-metadata', "pip install 'importlib-metadata>=6'"),
        ({'mmcv': '2.1.0', 'mmcv_lite': '2.1.0'}, 'mmcv', 'pip uninstall -y mmcv mmcv-lite'),
        ({'mmcv': None, 'mmcv_lite': None}, 'mmcv', "pip install 'mmcv-lite>=2.0.0,<2.2'"),
        ({'mmcv': '2.2.0', 'mmcv_lite': None}, 'mmcv', "pip install 'mmcv>=2.0.0,<2.2'"),
    ],
)
def test_each_wrong_version_has_its_command(pretend, found, subject, command):
    result = pretend(**found)[subject]
    assert result.state == 'act'
    assert result.remedy.startswith(command)


def test_a_full_mmcv_alone_is_respected(pretend):
    result = pretend(mmcv='2.1.0', mmcv_lite=None)['mmcv']
    assert (result.state, result.found) == ('ok', 'mmcv 2.1.0')


def test_a_broken_torchvision_is_to_be_removed(tmp_path, monkeypatch):
    (tmp_path / 'torchvision').mkdir()
    (tmp_path / 'torchvision' / '__init__.py').write_text("raise RuntimeError('operator nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'torchvision', raising=False)
    result = versions._torchvision()
    assert result.state == 'act'
    assert 'nms' in result.found
    fitting = f'0.{int(torch.__version__.split(".")[1]) + 15}'
    assert result.remedy.startswith('pip uninstall -y torchvision  (or')
    assert f"pip install 'torchvision=={fitting}.*'" in result.remedy


def test_ranges_are_those_of_the_requirements():
    lines = (ROOT / 'requirements' / 'runtime.txt').read_text().splitlines()
    required = {line.split('#')[0].strip() for line in lines if line.split('#')[0].strip()}
    asked_for = {specifier for _, _, specifier, _ in versions.NEEDED.values()} | {versions.MMCV[2]}
    assert asked_for == required
    for lowest, too_new, specifier, _ in versions.NEEDED.values():
        bounds = re.findall(r'(>=|<)([\d.]+)', specifier)
        assert set(bounds) == {('>=', lowest)} - {('>=', '0')} | ({('<', too_new)} if too_new else set())


@pytest.mark.parametrize(
    ('version', 'expected'),
    [('0.10.4', True), ('0.10.3', False), ('0.10.7+x', True), ('0.11', False), ('0.11.0rc0', False), ('1.0', False)],
)
def test_within(version, expected):
    assert versions.within(version, '0.10.4', '0.11') is expected


def test_every_break_has_a_title_and_a_line():
    names = {module.__name__.rpartition('.')[2] for module in (*compat.BREAKS, *compat.FEATURES)}
    assert names == set(known_breaks.TITLES)
    subjects = {item.subject for item in known_breaks.check_breaks()}
    assert set(known_breaks.TITLES.values()) <= subjects


def test_a_break_that_does_not_bite_is_said_to_stand_aside(monkeypatch):
    monkeypatch.setattr(compat.color_jitter, 'applies', lambda: False)
    result = {item.subject: item for item in known_breaks.check_breaks()}[known_breaks.TITLES['color_jitter']]
    assert (result.state, result.needed) == ('ok', 'compat.color_jitter stands aside')


def test_switching_the_protection_off_is_to_be_undone(monkeypatch):
    monkeypatch.setitem(os.environ, 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    acts = [item.remedy for item in known_breaks.check_breaks() if item.state == 'act']
    assert acts == ['unset TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD']


def test_a_failing_probe_is_reported_with_its_error(monkeypatch):
    def fails():
        raise OSError('no codec\nsecond line')

    monkeypatch.setattr(probes, 'PROBES', (('video', fails, 'pip install decord'),))
    assert probes.run_probes() == [CheckResult('video', 'OSError: no codec', 'works', 'act', 'pip install decord')]


def test_every_promise_holds_here():
    found = promises.check_promises()
    assert [item.state for item in found] == ['ok'] * len(found), found
    assert [item.subject for item in found[:-1]] == [subject for subject, _ in promises.PROMISES]


@pytest.mark.parametrize('broken', ['load', '_scan'])
def test_a_promise_that_does_not_hold_is_noticed(monkeypatch, broken):
    monkeypatch.setattr(promises.safe_load, broken, lambda *_, **__: {})
    if broken == '_scan':  # the other walls still hold
        assert promises.check_promises()[0].state == 'ok'
        return
    (result, *_) = promises.check_promises()
    assert result.state == 'act' and 'it was read' in result.found and 'docs/security.md' in result.remedy


def test_a_torch_that_trusts_sizes_is_told(monkeypatch):
    monkeypatch.setattr(promises, 'installed', lambda name: '2.9.1')
    assert promises._torch().state == 'note'


@pytest.mark.parametrize(('state', 'remedy'), [('fine', ''), ('act', '')])
def test_a_finding_without_sense_is_refused(state, remedy):
    with pytest.raises(ValueError, match='numpy'):
        CheckResult('numpy', 'a', 'b', state, remedy)
