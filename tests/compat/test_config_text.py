import mmkd_video  # noqa: F401  isort: skip  patches the imports below
import mmengine.config.config as module
import pytest
from mmengine.config import Config

from mmkd_video.compat import config_text


@pytest.fixture
def formatted(monkeypatch):
    """The texts that yapf was asked to format."""
    seen = []

    def format_code(text, **style):
        seen.append(text)
        return f'formatted {text}', True

    monkeypatch.setattr(module, 'FormatCode', config_text._with_cache(format_code))
    return seen


def test_a_config_is_formatted_once(formatted):
    config = Config(dict(seed=1))
    assert config.pretty_text == config.pretty_text == 'formatted seed=1'
    assert len(formatted) == 1


def test_a_changed_config_is_formatted_again(formatted):
    config = Config(dict(seed=1))
    assert 'seed=1' in config.pretty_text
    config.seed = 2
    assert 'seed=2' in config.pretty_text and len(formatted) == 2


def test_only_the_last_texts_are_kept(formatted):
    for seed in [*range(config_text.KEPT + 1), 0]:
        assert Config(dict(seed=seed)).pretty_text == f'formatted seed={seed}'
    assert len(formatted) == config_text.KEPT + 2


def test_the_formatter_of_this_process_remembers():
    assert config_text.applies()
    assert module.FormatCode.mmkd_video_patches
    assert Config(dict(a=[1, 2])).pretty_text == 'a = [\n    1,\n    2,\n]\n'
