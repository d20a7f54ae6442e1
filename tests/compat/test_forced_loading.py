import pytest

from mmkd_video.compat import forced_loading


@pytest.mark.parametrize('code', ['import mmkd_video', 'from mmkd_video.cli.train import main; main([])'])
def test_nothing_starts_where_checkpoints_could_run_code(run_python, code):
    done = run_python(code, TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD='1')
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith('error: TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD is set')
    assert 'unset it' in line and 'MMKD_ALLOW_UNSAFE_LOAD=1' in line


def test_other_errors_keep_their_traceback(run_python):
    code = """
        try:
            import mmkd_video
        except RuntimeError:
            pass
        raise KeyError('mine')
        """
    assert 'Traceback' in run_python(code, TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD='yes').stderr


@pytest.mark.parametrize('forced, allowed, fails', [('0', '0', False), ('1', '1', False), ('True', '0', True)])
def test_what_the_two_variables_say(monkeypatch, forced, allowed, fails):
    monkeypatch.setattr(forced_loading, '_hide_tracebacks', lambda: None)
    monkeypatch.setenv(forced_loading.FORCED, forced)
    monkeypatch.setenv(forced_loading.ALLOWED, allowed)
    if fails:
        with pytest.raises(forced_loading.UnsafeEnvironmentError):
            forced_loading.refuse()
    else:
        forced_loading.refuse()
