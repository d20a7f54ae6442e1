import sys

import pytest

from mmkd_video.core.optional_packages import MissingExtraError, expect_extra, import_extra


def test_a_package_that_is_there_is_returned():
    import json

    assert import_extra('json', 'onnx') is json


def test_a_missing_package_names_the_command():
    with pytest.raises(MissingExtraError, match=r"no_such_runtime.*pip install 'mmkd_video\[onnx\]'.*-e '\.\[onnx\]'"):
        import_extra('no_such_runtime', 'onnx')
    assert issubclass(MissingExtraError, ImportError)


def test_a_package_is_looked_for_without_being_imported():
    expect_extra('this', 'onnx')  # which would print a poem
    assert 'this' not in sys.modules
    with pytest.raises(MissingExtraError, match=r"no_such_runtime is not installed; .*'mmkd_video\[onnx\]'"):
        expect_extra('no_such_runtime', 'onnx')
