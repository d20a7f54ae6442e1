import functools
import importlib
import resource
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest
from mmengine.registry import init_default_scope
from tiny_experiment import TinyExperiment, render_tiny

TESTS = Path(__file__).parent
# They load OpenVINO, ONNX Runtime or NNCF. Once OpenVINO has asked for AMX, the signal stacks of other libraries may be
# too small, and a signal can end the process: these tests have processes of their own.
RUNTIMES = (
    'cli/test_damaged_exports.py',
    'cli/test_stream_command.py',
    'configs/test_quantize_configs.py',
    'export/',
    'hooks/test_qat',
    'quantization/',
    'serving/',
    'workflows/deploy/test_export.py',
    'workflows/deploy/test_quantize.py',
    'workflows/measure/test_benchmark_deploy.py',
    'workflows/measure/test_benchmark_stream.py',
    'workflows/robustness/test_exported_robustness.py',
)


# Each has tests of minutes: begun last, one process would still be at them when the other has nothing left to do.
LONGEST = ('test_readme.py', 'workflows/compress/test_compress.py', 'hooks/test_nodes.py')


# Their tests start interpreters that import everything anew, which takes seconds each.
INTERPRETERS = {'run_python', 'healthy_with', 'breaks_without', 'run_two_ranks'}


@functools.cache
def reason_against_vision():
    """Return why the tests of models of timm and torchvision cannot run here; None where they can."""
    for module in ('torchvision', 'timm'):
        try:
            importlib.import_module(module)
        except Exception as error:  # a torchvision for another torch raises more than ImportError
            return f'{module} does not import: {str(error).splitlines()[0]}'
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker('torchvision') and reason_against_vision():
            item.add_marker(pytest.mark.skip(reason=reason_against_vision()))
        if INTERPRETERS & set(item.fixturenames):
            item.add_marker('slow')
        if _place_of(item).startswith(RUNTIMES):
            item.add_marker('runtimes')
            item.add_marker('slow')
    items.sort(key=lambda item: _place_of(item) not in LONGEST)


def _place_of(item):
    return item.path.relative_to(TESTS).as_posix() if item.path.is_relative_to(TESTS) else ''


@pytest.fixture(autouse=True)
def _mmaction_scope():
    init_default_scope('mmaction')


@pytest.fixture
def file_size_limit():
    """Return a block in which no file grows beyond some bytes: what a full disk looks like, to root too."""

    @contextmanager
    def limited(size):
        before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)

    return limited


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
    monkeypatch.setattr('mmkd_video.benchmark.load_watch.LEAST_CPU_SHARE', 0.0)
