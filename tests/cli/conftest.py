import pytest
from tiny_experiment import TinyExperiment, render_tiny


@pytest.fixture(scope='session')
def tiny_clips(tmp_path_factory):
    return render_tiny(tmp_path_factory.mktemp('tiny') / 'clips')


@pytest.fixture
def tiny(tmp_path, tiny_clips):
    return TinyExperiment(tmp_path, tiny_clips)


@pytest.fixture(scope='session')
def trained(tmp_path_factory, tiny_clips):
    """An experiment whose distillation is trained, in ``out``; ``said`` is what the command printed."""
    experiment = TinyExperiment(tmp_path_factory.mktemp('trained'), tiny_clips)
    experiment.said = experiment.run('train.py', 'distill.py', '--work-dir', 'out').stdout
    return experiment


@pytest.fixture
def quiet_machine(monkeypatch):
    """Let benchmarks see no other load, whatever else this machine does."""
    monkeypatch.setattr('mmkd_video.benchmark.load_watch.busy_seconds', lambda: None)
    monkeypatch.setattr('mmkd_video.benchmark.load_watch.LAG', 0.0)
