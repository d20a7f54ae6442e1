"""docs/extending.md is run as it stands, on a small experiment."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / 'docs' / 'extending.md').read_text()
PYTHON = re.findall(r'```python\n(.*?)```', PAGE, flags=re.DOTALL)
COMMANDS = re.findall(r'```bash\n(.*?)```', PAGE, flags=re.DOTALL)
BASE, TEACHER_FILE = "'configs/distill/i3d_to_mobilenet.py'", "'work_dirs/teachers/i3d_motion.pth'"


@pytest.fixture
def written(tiny):
    """Write the page's files beside a small experiment, in the place of the shipped one."""
    *parts, config = PYTHON
    (tiny.folder / 'my_parts.py').write_text('\n\n'.join(parts))
    named = tiny.folder / 'named.py'
    named.write_text(f"_base_ = 'distill.py'\nteacher = {str(tiny.teacher)!r}\n")
    assert BASE in config and TEACHER_FILE in config
    config = config.replace(BASE, repr(str(named))).replace(TEACHER_FILE, repr(str(tiny.checkpoint)))
    (tiny.folder / 'my_config.py').write_text(config)
    return tiny


@pytest.mark.slow
@pytest.mark.runtimes
def test_the_page_trains_exports_measures_and_streams(written):
    train, export, test, measure, stream = COMMANDS
    assert train.split()[2:] == ['tools/train.py', 'my_config.py']
    environment = written.environment()
    path = f'{environment["PYTHONPATH"]}:{written.folder}'
    said = written.run('train.py', 'my_config.py', PYTHONPATH=path).stdout
    for name in ('loss_kd', 'loss_margin', 'loss_prior'):
        assert name in said
    last = (written.folder / 'work_dirs/my_config/last_checkpoint').read_text()
    options = export.split('last_checkpoint)"')[1].split()
    assert options == ['--format', 'torchscript', '--out', 'my_student.ts']
    written.run('export.py', 'my_config.py', last, *options, PYTHONPATH=path)
    assert test.split()[2:] == ['tools/test.py', 'my_config.py', 'my_student.ts']
    tested = written.run('test.py', 'my_config.py', 'my_student.ts', PYTHONPATH=path).stdout
    assert 'acc/top1' in tested
    given, options = measure.split('"$(cat work_dirs/my_config/last_checkpoint)"')
    assert given.split()[2] == 'tools/benchmark.py'
    cheap = '--threads 1 --rounds 1 --max-rounds 1 --warmup 0 --batch-size 2 --clips 2 --no-memory'
    arguments = [*given.split()[3:], last, *options.split(), *cheap.split()]
    measured = written.run('benchmark.py', *arguments, PYTHONPATH=path)
    assert re.search(r'^student +torchscript +1 ', measured.stdout, flags=re.MULTILINE)
    tool, video, *options = stream.split()[2:]
    assert (tool, video) == ('tools/stream.py', 'data/motion_clips/test/0000_left.mp4')
    clip = next((written.root / 'test').glob('*.mp4'))
    said = written.run('stream.py', clip, *options, PYTHONPATH=path).stdout
    assert said.count('"top"') > 0


def test_the_pages_config_names_what_is_shipped():
    assert (ROOT / BASE.strip("'")).is_file()
    base = Config.fromfile(ROOT / BASE.strip("'"))
    assert base.model.teacher.checkpoint == TEACHER_FILE.strip("'")
    assert base.model.teacher.config == base.teacher
