import pytest

from mmkd_video.extras import MissingExtraError, import_extra


def test_a_package_that_is_there_is_returned():
    import json

    assert import_extra('json', 'onnx') is json


def test_a_missing_package_names_the_command():
    with pytest.raises(MissingExtraError, match=r"no_such_runtime.*pip install 'mmkd_video\[onnx\]'.*-e '\.\[onnx\]'"):
        import_extra('no_such_runtime', 'onnx')
    assert issubclass(MissingExtraError, ImportError)
