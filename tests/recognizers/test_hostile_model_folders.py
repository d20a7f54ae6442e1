"""Folders of models that are hostile, damaged or not there: refused in one line, and nothing of them is run."""

import hashlib
import json
import os
import shutil
import socket

import numpy as np
import pytest
import torch
import transformers_models as tiny

from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.config import load_config, resolve_config
from mmkd_video.recognizers.libraries import load_own_weights
from mmkd_video.recognizers.pipelines import find_pipeline

REFUSED = (WrongValueError, MissingFileError)


@pytest.fixture(scope='module')
def template(tmp_path_factory):
    return tiny.write(tmp_path_factory.mktemp('template') / 'model', 'videomae').folder


@pytest.fixture
def folder(template, tmp_path):
    shutil.copytree(template, tmp_path / 'model')
    return tmp_path / 'model'


def change(path, **changes):
    told = json.loads(path.read_text())
    told.update(changes)
    path.write_text(json.dumps(told))


def with_auto_map(folder):
    change(folder / 'config.json', auto_map=dict(AutoModel='modeling_evil.Evil'))
    (folder / 'modeling_evil.py').write_text("raise SystemExit('run')\n")


def processor_with_auto_map(folder):
    change(folder / 'preprocessor_config.json', auto_map=dict(AutoImageProcessor='processing_evil.Evil'))


def nested_processor_with_auto_map(folder):
    nested = dict(auto_map=dict(AutoImageProcessor='processing_evil.Evil'))
    (folder / 'processor_config.json').write_text(json.dumps(dict(video_processor=nested)))


def pickles_alone(folder):
    (folder / 'model.safetensors').rename(folder / 'pytorch_model.bin')


def weights_linked_from_elsewhere(folder):
    (folder / 'model.safetensors').rename(folder.parent / 'elsewhere.safetensors')
    (folder / 'model.safetensors').symlink_to(folder.parent / 'elsewhere.safetensors')


def config_linked_from_elsewhere(folder):
    (folder / 'config.json').rename(folder.parent / 'elsewhere.json')
    (folder / 'config.json').symlink_to('../elsewhere.json')


def shard_elsewhere(folder):
    (folder / 'model.safetensors').rename(folder.parent / 'elsewhere.safetensors')
    index = dict(weight_map={'classifier.weight': '../elsewhere.safetensors'})
    (folder / 'model.safetensors.index.json').write_text(json.dumps(index))


def oversized_json(folder):
    (folder / 'config.json').write_text('{"model_type": "videomae", "x": "' + 'x' * (1 << 22) + '"}')


def broken_json(folder):
    (folder / 'config.json').write_text((folder / 'config.json').read_text()[:-20])


def deep_json(folder):
    (folder / 'config.json').write_text('[' * 100_000 + ']' * 100_000)


def no_dict(folder):
    (folder / 'config.json').write_text('[]')


def truncated_weights(folder):
    path = folder / 'model.safetensors'
    path.write_bytes(path.read_bytes()[:-100])


def flipped_bit_in_the_header(folder):
    flip(folder / 'model.safetensors', 20)


def flipped_bit_in_the_size_of_the_header(folder):
    flip(folder / 'model.safetensors', 6)


def flip(path, place, bit=0x40):
    content = bytearray(path.read_bytes())
    content[place] ^= bit
    path.write_bytes(content)


def not_a_number(folder):
    path = folder / 'model.safetensors'
    content = bytearray(path.read_bytes())
    content[-4:] = np.float32('nan').tobytes()
    path.write_bytes(content)


def pickle_by_another_name(folder):
    torch.save(dict(weight=torch.zeros(30_000)), folder / 'model.safetensors')


def huge_model(folder):
    change(folder / 'config.json', hidden_size=16384, num_hidden_layers=200)


def huge_frames(folder):
    change(folder / 'config.json', image_size=8192, patch_size=1)


def strange_kind(folder):
    change(folder / 'config.json', model_type='os.system')


def strange_architecture(folder):
    change(folder / 'config.json', architectures=['Evil'])


def strange_activation(folder):
    change(folder / 'config.json', hidden_act='os.system')


def strange_processor(folder):
    change(folder / 'preprocessor_config.json', image_processor_type='os.system')


def no_class_names(folder):
    change(folder / 'config.json', id2label={'0': 'left', '7': 'right'})


def quantized(folder):
    change(folder / 'config.json', quantization_config=dict(quant_method='bitsandbytes'))


def divided_by_nothing(folder):
    change(folder / 'preprocessor_config.json', image_std=[0.0, 0.5, 0.5])


HOSTILE = {
    with_auto_map: "'auto_map', which names code",
    processor_with_auto_map: "'auto_map', which names code",
    nested_processor_with_auto_map: "'auto_map', which names code",
    pickles_alone: "'pytorch_model.bin', which may run code",
    weights_linked_from_elsewhere: 'link that leaves the folder',
    config_linked_from_elsewhere: 'link that leaves the folder',
    shard_elsewhere: 'weight_map',
    oversized_json: 'expected at most 4194304',
    broken_json: 'not JSON',
    deep_json: 'not JSON|nested more than',
    no_dict: 'expected a dict',
    truncated_weights: 'damaged or no safetensors',
    flipped_bit_in_the_header: 'damaged or no safetensors|are not of the model',
    flipped_bit_in_the_size_of_the_header: 'damaged or no safetensors',
    not_a_number: 'holds NaN or infinity',
    pickle_by_another_name: 'damaged or no safetensors',
    huge_model: 'expected one that fits the',
    huge_frames: 'expected 1 to 262144 patches',
    strange_kind: "got a model of type 'os.system'; expected one of videomae",
    strange_architecture: "got the architecture 'Evil'; expected one of VideoMAEFor",
    strange_activation: "hidden_act: got 'os.system'",
    strange_processor: "a processor of type 'os.system'",
    no_class_names: 'expected one for each of 0, 1, 2',
    quantized: 'quantized weights',
    divided_by_nothing: 'image_std: got 0.0',
}


@pytest.mark.parametrize('damage', HOSTILE, ids=lambda damage: damage.__name__)
def test_a_hostile_folder_is_refused_in_one_line(folder, damage, monkeypatch):
    damage(folder)
    monkeypatch.setattr(socket.socket, 'connect', lambda *_: pytest.fail('it asked the network'))
    with pytest.raises(REFUSED, match=HOSTILE[damage]) as error:
        model, config = resolve_config(f'hf::{folder}')
        load_own_weights(MODELS.build(model), config)
    message = str(error.value)
    assert '\n' not in message and len(message) < 600
    assert message.startswith('teacher.config: ')


def test_the_folder_itself_is_not_refused(folder, monkeypatch):
    monkeypatch.setattr(socket.socket, 'connect', lambda *_: pytest.fail('it asked the network'))
    (folder / 'tokenizer.json').write_text('{')  # no business of ours
    (folder / 'pytorch_model.bin').write_bytes(b'a pickle that is not opened')
    model, config = resolve_config(f'hf::{folder}')
    assert load_own_weights(MODELS.build(model), config)


@pytest.mark.parametrize('name', ['nowhere/at/all', '/nowhere', 'nowhere'])
def test_a_folder_that_is_not_there_is_named(name):
    with pytest.raises(REFUSED, match=f"got '{name}'; expected a folder with a model; there is no such folder"):
        load_config(f'hf::{name}')


@pytest.mark.parametrize('source', ['hf::', 'torch::x', 'hf'])
def test_a_source_that_names_nothing_is_refused(source):
    with pytest.raises(REFUSED, match=r"'teacher'.source: got .*; expected 'hf::...'"):
        find_pipeline(dict(source=source), 'teacher')


def in_cache(template, cache):
    """Lay a folder out as the hub's library does in its cache: links to blobs, large ones named by their digest."""
    root = cache / 'models--someone--videomae-tiny'
    snapshot = root / 'snapshots' / ('0' * 40)
    for each in (snapshot, root / 'blobs', root / 'refs'):
        each.mkdir(parents=True)
    (root / 'refs' / 'main').write_text('0' * 40)
    for file in template.iterdir():
        blob = root / 'blobs' / hashlib.sha256(file.read_bytes()).hexdigest()
        shutil.copy(file, blob)
        (snapshot / file.name).symlink_to(os.path.relpath(blob, snapshot))
    return snapshot


@pytest.fixture
def cache(template, tmp_path, monkeypatch):
    hub = pytest.importorskip(
        'huggingface_hub', reason="huggingface_hub is not installed: pip install 'mmkd_video[hf]'"
    )
    monkeypatch.setattr(hub.constants, 'HF_HUB_CACHE', str(tmp_path / 'hub'))
    monkeypatch.setattr(socket.socket, 'connect', lambda *_: pytest.fail('it asked the network'))
    download = hub.snapshot_download
    asked = []

    def noted(name, **given):
        asked.append(given)
        return download(name, cache_dir=tmp_path / 'hub', **{**given, 'local_files_only': True})

    monkeypatch.setattr(hub, 'snapshot_download', noted)
    return tmp_path / 'hub', asked


def test_a_name_is_found_in_the_local_cache_and_nowhere_else(template, cache):
    root, asked = cache
    with pytest.raises(REFUSED, match=r"source='hf::someone/videomae-tiny', allow_download=True") as error:
        load_config('hf::someone/videomae-tiny')
    assert '\n' not in str(error.value)
    snapshot = in_cache(template, root)
    model, config = resolve_config('hf::someone/videomae-tiny')
    assert config.library_weights == str(snapshot) and load_own_weights(MODELS.build(model), config)
    assert all(each['local_files_only'] for each in asked)


def test_only_data_is_downloaded_and_only_if_that_is_allowed(template, cache):
    root, asked = cache
    in_cache(template, root)
    resolve_config(dict(source='hf::someone/videomae-tiny', allow_download=True))
    assert asked == [dict(allow_patterns=['*.json', '*.safetensors'], local_files_only=False)]


def test_a_blob_that_is_not_what_its_name_says_is_refused(template, cache):
    snapshot = in_cache(template, cache[0])
    blob = (snapshot / 'model.safetensors').resolve()
    flip(blob, -6, 0x01)
    model, config = resolve_config(f'hf::{snapshot}')
    with pytest.raises(REFUSED, match='does not have the digest that its name in the cache says'):
        load_own_weights(MODELS.build(model), config)


def test_a_snapshot_may_not_link_to_other_models(template, cache):
    snapshot = in_cache(template, cache[0])
    shutil.copy(template / 'config.json', cache[0] / 'config.json')
    (snapshot / 'config.json').unlink()
    (snapshot / 'config.json').symlink_to(cache[0] / 'config.json')
    with pytest.raises(REFUSED, match='link that leaves the folder'):
        load_config('hf::someone/videomae-tiny')
