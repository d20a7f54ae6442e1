import numpy as np
import pytest

from mmkd_video.compat import color_jitter

SHIFT = """
import numpy as np
from mmaction.datasets.transforms import ColorJitter
image = np.random.default_rng(0).integers(0, 255, (8, 8, 3)).astype(np.float32)
print(ColorJitter.adjust_hue(image, -0.05).sum())
"""


def test_a_negative_hue_overflows_without_and_not_with(breaks_without, healthy_with):
    breaks_without(SHIFT, 'OverflowError')
    healthy_with(SHIFT)


@pytest.fixture
def adjust_hue():
    return color_jitter._widened(None)


def test_there_and_back_is_close_to_where_it_started(adjust_hue):
    image = np.full((2, 2, 3), (200, 40, 40), dtype=np.float32)
    shifted = adjust_hue(image, 0.1)
    assert np.abs(shifted - image).max() > 30
    assert np.abs(adjust_hue(shifted, -0.1) - image).max() <= 8


def test_equals_the_original_where_the_original_works(healthy_with):
    out = healthy_with("""
        import numpy as np
        from mmaction.datasets.transforms import ColorJitter
        image = np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.float32)
        patched = ColorJitter.adjust_hue
        original = getattr(patched, '__wrapped__', patched)
        print(all(np.array_equal(patched(image, h), original(image, h)) for h in (0.0, 0.02, 0.05, 0.1)))
    """)
    assert out.strip().endswith('True')


def test_stands_aside_on_numpy_1(monkeypatch):
    class ColorJitter:
        @staticmethod
        def adjust_hue(img, factor):
            return 'stock'

    import types

    monkeypatch.setattr(color_jitter, 'applies', lambda: False)
    color_jitter._patch(types.SimpleNamespace(ColorJitter=ColorJitter))
    assert ColorJitter.adjust_hue(None, 0) == 'stock'
