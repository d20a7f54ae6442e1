"""Checks of the promises of docs/security.md: each is tried, in a folder of its own."""

import json
import pickle
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from mmkd_video.cli.doctor.check_result import CheckResult
from mmkd_video.cli.doctor.versions import installed, within
from mmkd_video.compat import checkpoints, safe_load
from mmkd_video.core.mistakes import name_of_kind

PAGE = 'docs/security.md'
SIZES_CHECKED = '2.10'  # first torch that compares the sizes in a checkpoint with what is there
_DEEP = b'\x80\x02})' + b'\x85' * 100_000 + b'Ns.'


class _WouldRunCode:
    def __reduce__(self) -> tuple:
        return exec, ('raise SystemExit',)


def refuse_code(folder: Path) -> str:
    """Write a checkpoint that would run code, in both formats, and see it refused."""
    import torch

    for zipped in (True, False):
        torch.save({'x': _WouldRunCode()}, folder / 'bad.pth', _use_new_zipfile_serialization=zipped)
        _expect_refused(lambda: safe_load.load(folder / 'bad.pth'))
    return 'refused'


def refuse_downloaded_code(folder: Path) -> str:
    """Do the same through MMEngine's loader of URLs, as if the file had been downloaded before."""
    import torch
    from mmengine.runner import checkpoint as loaders

    torch.save({'x': _WouldRunCode()}, folder / 'bad.pth')
    if loaders.load_url is not checkpoints.load_url:
        raise RuntimeError("MMEngine's loaders are not mended")
    _expect_refused(lambda: loaders.load_url('https://nowhere.invalid/bad.pth', model_dir=str(folder)))
    _expect_refused(lambda: loaders.CheckpointLoader.load_checkpoint(str(folder / 'bad.pth'), 'cpu'))
    return 'refused'


def drop_text(folder: Path) -> str:
    """Write a checkpoint with a config's text, which MMEngine would execute on resume, and see it dropped."""
    import torch
    from mmengine.runner.checkpoint import CheckpointLoader

    torch.save({'meta': {'config': 'raise SystemExit'}}, folder / 'bad.pth')
    if 'config' in CheckpointLoader.load_checkpoint(str(folder / 'bad.pth'), 'cpu')['meta']:
        raise RuntimeError('the text would be executed')
    return 'dropped'


def refuse_crash(folder: Path) -> str:
    """Write checkpoints that would end the process: an array of addresses, a tuple too deep to be hashed."""
    import numpy as np
    import torch

    torch.save({'x': np.array([None], dtype=object)}, folder / 'bad.pth')
    _expect_refused(lambda: safe_load.load(folder / 'bad.pth'))
    with zipfile.ZipFile(folder / 'bad.pth', 'w') as archive:
        archive.writestr('archive/data.pkl', _DEEP)
        archive.writestr('archive/version', '3\n')
    _expect_refused(lambda: safe_load.load(folder / 'bad.pth'))
    return 'refused'


def refuse_transform(folder: Path) -> str:
    """Give an exported file a pipeline that would run a command, and see it refused."""
    from mmkd_video.export import ExportMetadata
    from mmkd_video.serving import FramePreparer

    mark = folder / 'mark'
    step = dict(type='subprocess.run', args=['touch', str(mark)])
    pipeline = [dict(type='DecordDecode'), step, dict(type='FormatShape', input_format='NCHW')]
    fields = dict(classes=['a'], layout='NCHW', shape=[1, 3, 8, 8], dtype='uint8', frames=1, pipeline=pipeline)
    strings = {name: json.dumps(value) for name, value in fields.items()}
    try:
        FramePreparer(ExportMetadata.from_strings(strings, 'bad.onnx'), 'bad.onnx')
    except ValueError:
        return 'refused'
    raise RuntimeError(f'a transform of the file was built{", and ran" if mark.exists() else ""}')


def refuse_size(folder: Path) -> str:
    """Write sizes that no model has, of a pruning history and of a tensor, and see them refused."""
    import torch

    from mmkd_video.pruning import PruningHistory

    torch.save({'x': torch.zeros(1).expand(10**12)}, folder / 'bad.pth')
    _expect_refused(lambda: safe_load.load(folder / 'bad.pth'))
    cut = dict(removed=[0], size=10**12, at=['a:out'])
    try:
        PruningHistory.from_json(json.dumps(dict(format='mmkd_video.pruning/1', steps=[dict(cuts=[cut])])))
    except ValueError:
        return 'refused'
    raise RuntimeError('a size of 10**12 was believed')


def see_damage(folder: Path) -> str:
    """Flip a bit in a weight and in an exported file, and see both refused."""
    import torch

    from mmkd_video.export import seal

    path = folder / 'bad.pth'
    torch.save({'x': torch.full((64,), 7.0)}, path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b'\x00\x00\xe0\x40', b'\x00\x00\xe1\x40', 1))
    try:
        safe_load.load(path)
    except safe_load.UnreadableCheckpointError:
        pass
    else:
        raise RuntimeError('a damaged weight was taken')
    sealed = folder / 'bad.xml'
    sealed.write_text(f'<net digest="{seal.BLANK}" size="1"/>')
    seal.seal(sealed, ['.xml'])
    sealed.write_text(sealed.read_text().replace('size="1"', 'size="3"'))
    try:
        seal.expect_sealed(sealed, ['.xml'])
    except ValueError:
        return 'refused'
    raise RuntimeError('a damaged file was taken')


PROMISES: tuple[tuple[str, Callable[[Path], str]], ...] = (
    ('a checkpoint runs nothing', refuse_code),
    ('nor one behind an address', refuse_downloaded_code),
    ('nor its text, on resume', drop_text),
    ('a checkpoint cannot end the process', refuse_crash),
    ('an exported file runs nothing', refuse_transform),
    ('no size is believed unseen', refuse_size),
    ('a flipped bit is seen', see_damage),
)


def check_promises() -> list[CheckResult]:
    """Check every promise; one that does not hold gives what happened and what to do."""
    results = []
    for subject, holds in PROMISES:
        with tempfile.TemporaryDirectory() as folder:
            try:
                results.append(CheckResult(subject, holds(Path(folder)), PAGE, 'ok'))
            except Exception as error:
                problem = f'{name_of_kind(error)}: {error}'.splitlines()[0]
                remedy = f'read no file that you have not made; report this as {PAGE} says'
                results.append(CheckResult(subject, problem, 'refused', 'act', remedy))
    return [*results, _torch()]


def _torch() -> CheckResult:
    version = installed('torch') or 'absent'
    if within(version, SIZES_CHECKED, None):
        return CheckResult('torch checks sizes itself', version, f'>={SIZES_CHECKED}', 'ok')
    return CheckResult('torch checks sizes itself', version, f'>={SIZES_CHECKED}: CVE-2026-24747', 'note')


def _expect_refused(read: Callable[[], object]) -> None:
    try:
        read()
    except pickle.UnpicklingError:
        return
    raise RuntimeError('it was read')
