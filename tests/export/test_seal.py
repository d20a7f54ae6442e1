import numpy as np
import pytest
from damaged_file import flipped
from exportable import tiny_model

from mmkd_video.export import export_onnx, export_openvino, load_exported
from mmkd_video.export import seal as seal_module
from mmkd_video.export.seal import BLANK, expect_sealed, seal

CLIPS = np.zeros((1, 4, 3, 32, 32), np.uint8)


def sealed(folder, text='x'):
    path = folder / 'a.xml'
    path.write_text(f'<{text} {BLANK}>')
    path.with_suffix('.bin').write_bytes(bytes(64))
    seal(path, ['.xml', '.bin'])
    return path


def test_what_is_as_it_was_written_is_accepted(tmp_path):
    expect_sealed(sealed(tmp_path), ['.xml', '.bin'])
    (tmp_path / 'b.xml').write_text('of an earlier version')
    expect_sealed(tmp_path / 'b.xml', ['.xml', '.bin'])


@pytest.mark.parametrize('suffix', ['.xml', '.bin'])
def test_a_flipped_bit_anywhere_is_seen(tmp_path, suffix):
    path = sealed(tmp_path, text='long' * 64)
    part = path.with_suffix(suffix)
    part.write_bytes(flipped(part.read_bytes()))
    with pytest.raises(ValueError, match=r'a\.xml, or .*a\.bin is damaged \(or both belong to different exports'):
        expect_sealed(path, ['.xml', '.bin'])


def test_a_digest_that_came_along_from_another_file_does_not_matter(tmp_path):
    path = sealed(tmp_path, text='made of sha256:' + 64 * 'a')
    expect_sealed(path, ['.xml', '.bin'])


@pytest.mark.parametrize('text', ['none', BLANK + BLANK])
def test_a_file_without_one_blank_digest_is_not_sealed(tmp_path, text):
    (tmp_path / 'a.onnx').write_text(text)
    with pytest.raises(ValueError, match='blank digests, expected one'):
        seal(tmp_path / 'a.onnx', ['.onnx'])


def test_damaged_weights_of_an_exported_file_are_never_run(tmp_path):
    pytest.importorskip('onnxruntime')
    pytest.importorskip('openvino')
    export_onnx(tiny_model(), tmp_path / 'a.onnx', CLIPS)
    export_openvino(tiny_model(), tmp_path / 'a.xml', CLIPS)
    runs = [('a.onnx', 'onnxruntime', 'a.onnx'), ('a.onnx', 'openvino', 'a.onnx'), ('a.xml', 'openvino', 'a.bin')]
    for name, backend, _ in runs:
        load_exported(tmp_path / name, backend, 1)
    for part in ('a.onnx', 'a.bin'):
        (tmp_path / part).write_bytes(flipped((tmp_path / part).read_bytes()))
    for name, backend, _ in runs:
        with pytest.raises(ValueError, match='is damaged'):
            load_exported(tmp_path / name, backend, 1)


def test_weights_of_another_export_are_never_run(tmp_path):
    pytest.importorskip('openvino')
    for name, seed in (('a', 0), ('b', 1)):
        export_openvino(tiny_model(), tmp_path / f'{name}.xml', CLIPS + seed)
    (tmp_path / 'a.bin').write_bytes(flipped((tmp_path / 'b.bin').read_bytes()))
    with pytest.raises(ValueError, match='different exports'):
        load_exported(tmp_path / 'a.xml')


def test_a_full_disk_leaves_no_file_with_its_final_name(tmp_path, file_size_limit):
    pytest.importorskip('openvino')
    with file_size_limit(20_000), pytest.raises((OSError, RuntimeError)):
        export_openvino(tiny_model(), tmp_path / 'a.xml', CLIPS)
    assert list(tmp_path.iterdir()) == []


def test_of_a_file_full_of_digests_few_are_looked_at(tmp_path, monkeypatch):
    path, asked = sealed(tmp_path), []
    path.write_bytes(b''.join(b'sha256:%064d' % number for number in range(1, 1000)) + path.read_bytes())
    monkeypatch.setattr(seal_module, '_digest', lambda *parts: asked.append(parts) or b'')
    with pytest.raises(ValueError, match='is damaged'):
        expect_sealed(path, ['.xml', '.bin'])
    assert len(asked) == seal_module.MOST_SEALS
