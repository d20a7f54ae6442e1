"""A size for a model that there is not."""

import pytest
from distillations import build


@pytest.mark.parametrize(
    ('side', 'hint'), [('techer', "did you mean 'teacher'?"), ('kd', 'take it out'), (7, 'take it out')]
)
def test_a_size_for_an_unknown_side_is_named(side, hint):
    with pytest.raises(KeyError) as refused:
        build(input_size={'student': (8, 32, 32), side: (8, 32, 32)})
    assert f'input_size: got the unknown key {side!r}; expected student, teacher; {hint}' in str(refused.value)
