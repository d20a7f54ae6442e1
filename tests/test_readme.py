"""Every command of the README is run: the two that set up by ``.ci/run``, the others here, on a few clips."""

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from mmkd_video.datasets import render_motion_clips

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / 'README.md').read_text()
CI = (ROOT / '.ci' / 'run').read_text()

SHORT = ' --cfg-options train_cfg.max_epochs=1 prepare.teacher_options.train_cfg.max_epochs=1'
SMALL = ' '.join(
    f'compress.{setting}'
    for setting in (
        'alone=False',
        'prune.hook.end=0',
        'prune.hook.steps=1',
        'prune.hook.criterion=magnitude',
        'prune.config.train_cfg.max_epochs=1',
        'export.no_check=True',  # after one iteration the outputs do not depend on the clips yet
        'quantize=None',  # which would check that too
        'benchmark.runtimes=[eager,openvino]',
        'benchmark.threads=[1]',
        'benchmark.rounds=1',
        'benchmark.max_rounds=1',
        'benchmark.warmup=0',
        'benchmark.clips=8',
        'benchmark.no_memory=True',
    )
)
REDUCED = {  # how a command begins, and what is added to it here
    'python -m mmkd_video doctor': '',
    'python tools/train.py': SHORT,
    'CLIPS=my_clips python tools/check_data.py': '',
    'CLIPS=my_clips python tools/train.py': f'{SHORT} prepare.teacher_options.prepare.rates=None',
    'python tools/test.py': '',
    'python tools/baseline.py': '',
    'python tools/prune.py': '',
    'python tools/export.py': ' --no-check',  # after one iteration the outputs do not depend on the clips yet
    'python tools/quantize.py': ' --no-check --max-drop 1',
    'python tools/compress.py': f'{SHORT} {SMALL}',
    'python tools/stream.py': '',
    'tools/dist_train.sh': SHORT,
    'tools/dist_test.sh': '',
    'CLIPS=my_clips python tools/compare.py': SHORT
    + ' prepare.rates=None prepare.teacher_options.prepare.rates=None model.teacher.checkpoint=work_dirs/compared.pth',
}


def commands():
    """Return the commands of all bash blocks, in order, without line continuations."""
    blocks = re.findall(r'```bash\n(.*?)```', README, flags=re.DOTALL)
    joined = '\n'.join(blocks).replace('\\\n', ' ')
    return [' '.join(line.split()) for line in joined.splitlines() if line.strip()]


SET_UP = [command for command in commands() if 'venv' in command]
OTHERS = [command for command in commands() if command not in SET_UP]


def test_the_two_commands_are_what_ci_calls():
    assert len(SET_UP) == 2
    for command in SET_UP:
        assert any(line.removesuffix(' \\') == command for line in CI.splitlines()), command
    assert 'compare.py' in SET_UP[0] and 'pytest' in SET_UP[1]


def test_ci_runs_every_test_of_models_of_timm_and_torchvision():
    stage = next(each for each in CI.split("echo '--- ") if each.startswith('models of timm'))
    files = [path for path in (ROOT / 'tests').rglob('test_*.py') if 'pytest.mark.torchvision' in path.read_text()]
    marked = {str(path.relative_to(ROOT)) for path in files if path.name != Path(__file__).name}
    assert set(re.findall(r'tests/\S+\.py', stage)) == marked


def test_no_command_is_left_out():
    assert commands().index(SET_UP[0]) == 0
    for command in OTHERS:
        assert sum(command.startswith(start) for start in REDUCED) == 1, command
    for start in REDUCED:
        assert any(command.startswith(start) for command in OTHERS), start


def test_only_bash_and_python_blocks():
    assert set(re.findall(r'^```(\w+)', README, flags=re.MULTILINE)) == {'bash', 'python'}


def test_links_lead_somewhere():
    for target in re.findall(r'\]\((?!https?:)([^)#]+)', README):
        assert (ROOT / target).exists(), target


def test_example_is_the_shipped_config(tmp_path):
    (block,) = re.findall(r'```python\n(.*?)```', README, flags=re.DOTALL)
    path = tmp_path / 'example.py'
    path.write_text(block.replace("'../_base_/mmkd.py'", repr(str(ROOT / 'configs/_base_/mmkd.py'))))
    example = Config.fromfile(path)
    shipped = Config.fromfile(ROOT / 'configs/distill/i3d-r50_to_tsm-mobilenetv2_kinetics400.py')
    example.model.teacher.checkpoint = shipped.model.teacher.checkpoint
    assert example.to_dict() == shipped.to_dict()


@pytest.fixture(scope='module')
def clone(tmp_path_factory):
    """A folder like a clone, with a few clips."""
    folder = tmp_path_factory.mktemp('clone')
    for name in ('configs', 'tools'):
        (folder / name).symlink_to(ROOT / name)
    render_motion_clips(folder / 'data' / 'motion_clips', num_clips={'train': 16, 'val': 8, 'test': 8})
    (folder / 'my_clips').symlink_to(folder / 'data' / 'motion_clips')
    return folder


@pytest.mark.slow
def test_every_other_command_runs(clone):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    port = str(random.randint(20000, 40000))
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'PATH': path, 'OMP_NUM_THREADS': '1', 'PORT': port}
    for command in OTHERS:
        start = next(start for start in REDUCED if command.startswith(start))
        line = ['bash', '-euc', command.replace('--seeds 0 1 2', '--seeds 0') + REDUCED[start]]
        done = subprocess.run(line, cwd=clone, env=environment, text=True, capture_output=True, timeout=600)
        assert done.returncode == 0, f'{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}'
        assert 'compare.py' not in command or 'distilled - alone' in done.stdout
