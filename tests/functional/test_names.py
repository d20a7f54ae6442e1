"""A loss and its formula bear the same name, and the formulas are pure maths."""

import ast
from pathlib import Path

import pytest

from mmkd_video import functional, losses

# Made of formulas with names of their own, or of trained layers.
COMPOSED = {'crd', 'fbkd', 'fitnet', 'mars', 'mgd', 'paraphrased_ft', 'rkd', 'semckd', 'srrl', 'vid'}
MODULES = sorted(
    {getattr(losses, name).__module__.rpartition('.')[2] for name in losses.__all__ if name.endswith('Loss')}
    - {'base', 'manifold'}
)
FOLDER = Path(functional.__file__).parent


@pytest.mark.parametrize('module', [name for name in MODULES if name not in COMPOSED])
def test_the_formula_is_named_after_its_loss(module):
    assert callable(getattr(functional, module))
    source = Path(losses.__file__).with_name(f'{module}.py').read_text()
    called = {node.func.id for node in ast.walk(ast.parse(source)) if hasattr(getattr(node, 'func', None), 'id')}
    assert module in called


def test_no_composed_loss_has_gone():
    assert set(MODULES) >= COMPOSED


def test_no_formula_talks_to_other_processes():
    assert [path.name for path in FOLDER.glob('*.py') if 'distributed' in path.read_text()] == []
