"""A damaged exported file is named, with what the runtime says and what to do."""

import pytest

from mmkd_video.export.unreadable import unreadable

VALID = '<?xml version="1.0"?><net name="a" version="11"><layers>'


@pytest.mark.parametrize('said', ['', '\n\n', 'Check failed\nat reader.cpp:5:\nno such layer\n\n'])
def test_the_message_names_the_file_whatever_the_runtime_says(tmp_path, said):
    path = tmp_path / 'a.xml'
    path.write_text('x')
    path.with_suffix('.bin').write_bytes(b'12')
    message = str(unreadable([path, path.with_suffix('.bin')], 'OpenVINO', RuntimeError(said)))
    assert message.startswith(
        f'{path}: got a file that OpenVINO cannot read: {"no such" if "no" in said else "Runtime"}'
    )
    assert f'{path} (1 bytes) and {path.with_suffix(".bin")} (2 bytes)' in message and '\n' not in message


@pytest.mark.parametrize('content', ['', 'no XML', VALID, VALID + '</layers><edges/></net>'])
def test_a_damaged_file_of_openvino_is_named(tmp_path, content):
    from mmkd_video.export import load_exported

    path = tmp_path / 'a.xml'
    path.write_text(content)
    path.with_suffix('.bin').write_bytes(b'')
    with pytest.raises(ValueError) as refused:
        load_exported(path)
    assert str(path) in str(refused.value) and '; ' in str(refused.value), str(refused.value)


@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
@pytest.mark.parametrize('content', [b'', b'no ONNX', b'\x08\x07\x12\x04'])
def test_a_damaged_file_of_onnx_is_named(tmp_path, content, backend):
    from mmkd_video.export import load_exported

    path = tmp_path / 'a.onnx'
    path.write_bytes(content)
    with pytest.raises(ValueError) as refused:
        load_exported(path, backend)
    assert str(path) in str(refused.value), str(refused.value)
