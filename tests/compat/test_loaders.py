"""Whatever MMEngine loads weights from, nothing of them is executed."""

import os
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType, SimpleNamespace

import pytest
import torch
from hostile import hostile_bytes
from mmengine.fileio import LocalBackend, register_backend
from mmengine.model import BaseModel, BaseModule
from mmengine.runner import Runner, load_checkpoint
from mmengine.runner import checkpoint as loaders
from mmengine.runner.checkpoint import CheckpointLoader

from mmkd_video.compat import safe_load
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.weights import load_weights


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments):
        pass


@pytest.fixture(scope='module')
def server(tmp_path_factory):
    """A web server on this machine: its address and its folder."""
    folder = tmp_path_factory.mktemp('served')
    with ThreadingHTTPServer(('127.0.0.1', 0), partial(Quiet, directory=str(folder))) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{running.server_port}', folder
        running.shutdown()


@pytest.fixture(params=['protected', 'protection switched off'])
def bad(request, server, tmp_path, monkeypatch):
    """A file that would run code, at an address and on the disk, and the sentinel that it would leave."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path))
    if request.param != 'protected':
        monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    address, folder = server
    sentinel, name = tmp_path / 'sentinel', f'bad_{os.urandom(4).hex()}.pth'
    for place in (folder, tmp_path):
        (place / name).write_bytes(hostile_bytes(sentinel))
    return SimpleNamespace(url=f'{address}/{name}', path=tmp_path / name, name=name, sentinel=sentinel, folder=tmp_path)


def refused(bad, load, *said):
    with pytest.raises(safe_load.UnsafeCheckpointError) as caught:
        load()
    assert not bad.sentinel.exists()
    assert len(str(caught.value).splitlines()) == 1
    for part in ('exec', 'Nothing of the file was executed', *said):
        assert part in str(caught.value)


class Layer(BaseModule):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.weight = torch.nn.Parameter(torch.zeros(2))


class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(2))

    def forward(self, x, mode='tensor'):
        return dict(loss=self.weight.sum() * x.sum())


def runner(folder, **more):
    return Runner(
        Model(),
        str(folder),
        train_dataloader=dict(dataset=[torch.ones(1)], batch_size=1, sampler=dict(type='DefaultSampler')),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        log_level='ERROR',
        experiment_name=os.urandom(4).hex(),
        **more,
    )


WAYS = {
    'teacher': lambda url, folder: load_weights(torch.nn.Linear(1, 1), url),
    'load_from': lambda url, folder: runner(folder, load_from=url).train(),
    'resume': lambda url, folder: runner(folder, load_from=url, resume=True).train(),
    'init_cfg': lambda url, folder: Layer(init_cfg=dict(type='Pretrained', checkpoint=url)).init_weights(),
    'pretrained': lambda url, folder: MODELS.build(
        dict(type='mmaction.MobileNetV2', pretrained=url, widen_factor=0.1)
    ).init_weights(),
    'load_checkpoint': lambda url, folder: load_checkpoint(Layer(), url),
}


@pytest.mark.parametrize('way', WAYS)
def test_an_address_runs_nothing(bad, way):
    refused(bad, lambda: WAYS[way](bad.url, bad.folder), bad.url)


@pytest.mark.parametrize('way', ['teacher', 'load_from', 'init_cfg'])
def test_a_local_file_runs_nothing(bad, way):
    refused(bad, lambda: WAYS[way](str(bad.path), bad.folder), str(bad.path))


def test_text_that_a_checkpoint_calls_its_config_is_not_executed_on_resume(tmp_path):
    runner(tmp_path / 'run').train()
    loaded = torch.load(tmp_path / 'run' / 'epoch_1.pth', weights_only=False)
    loaded['meta']['config'] = f"made = __import__('os').mkdir({str(tmp_path / 'sentinel')!r})"
    torch.save(loaded, tmp_path / 'bad.pth')
    runner(tmp_path / 'again', load_from=str(tmp_path / 'bad.pth'), resume=True).train()
    assert not (tmp_path / 'sentinel').exists()


def test_the_old_format_runs_nothing(bad):
    bad.path.write_bytes(hostile_bytes(bad.sentinel, zipped=False))
    refused(bad, lambda: CheckpointLoader.load_checkpoint(str(bad.path), 'cpu'))


class Petrel(LocalBackend):
    folder = None

    def get(self, filepath):
        return (self.folder / filepath.rpartition('/')[2]).read_bytes()


def modelcloud(bad):
    found = SimpleNamespace(name=bad.name, download=lambda target: os.link(bad.path, target))
    module = ModuleType('pavi')
    module.modelcloud = SimpleNamespace(get=lambda name: found)
    return module


@pytest.mark.parametrize(
    'scheme',
    [
        *('https', 'mmcls', 'openmmlab', 'open-mmlab', 'openmmlab-file', 'torchvision', 'modelzoo'),
        *('pavi', 's3', 'petrel', 'cluster:s3'),
    ],
)
def test_no_scheme_of_mmengine_runs_anything(bad, scheme, monkeypatch):
    known, name = {'bad': bad.url}, f'{scheme}://bad'
    for function in ('get_mmcls_models', 'get_torchvision_models'):
        monkeypatch.setattr(loaders, function, lambda: known)
    if scheme == 'https':
        name = f'https://nowhere.invalid/{bad.name}'
        monkeypatch.setattr(torch.hub, 'download_url_to_file', lambda url, path, *_, **__: os.link(bad.path, path))
    elif scheme == 'openmmlab-file':
        name, known['bad'] = 'openmmlab://bad', bad.name
    elif scheme == 'pavi':
        monkeypatch.setitem(sys.modules, 'pavi', modelcloud(bad))
    elif scheme.endswith(('s3', 'petrel')):
        register_backend('petrel', Petrel, force=True)
        monkeypatch.setattr(Petrel, 'folder', bad.folder)
        name = f'{scheme}://bucket/{bad.name}'
    monkeypatch.setattr(loaders, 'get_external_models', lambda: known)
    refused(bad, lambda: CheckpointLoader.load_checkpoint(name, 'cpu'))


def test_every_scheme_of_mmengine_was_tried():
    assert set(CheckpointLoader._schemes) == {
        '',
        'http://',
        'https://',
        'pavi://',
        r'(\S+\:)?s3://',
        r'(\S+\:)?petrel://',
        'modelzoo://',
        'torchvision://',
        'open-mmlab://',
        'openmmlab://',
        'mmcls://',
    }


def test_an_honest_file_behind_an_address_is_read_and_kept(server, tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    address, folder = server
    torch.save({'state_dict': {'weight': torch.ones(2)}}, folder / 'good.pth')
    for _ in range(2):
        loaded = CheckpointLoader.load_checkpoint(f'{address}/good.pth?a=1', 'cpu')
        assert torch.equal(loaded['state_dict']['weight'], torch.ones(2))
        (folder / 'good.pth').unlink(missing_ok=True)
    assert (tmp_path / 'hub/checkpoints/good.pth').is_file()


def test_an_address_without_a_file_is_named(server):
    with pytest.raises(ValueError, match='names no file'):
        CheckpointLoader.load_checkpoint(f'{server[0]}/', 'cpu')
