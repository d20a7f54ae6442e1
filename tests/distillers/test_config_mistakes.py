import copy

import pytest
import zoo
from distillations import KD, MAP, distiller_config

from mmkd_video.core.registry import MODELS


def _terms(*terms):
    return dict(terms=list(terms))


def _teacher(**keys):
    return dict(teacher=dict(config=zoo.config_of('i3d')[0], **keys))


MISTAKES = {
    'unknown tap': (_terms(dict(KD, at='logitz')), KeyError, 'nearest names: logits'),
    'tap that never fires': (_terms(dict(MAP, at='cls_head.loss_cls')), ValueError, 'never fired'),
    'unknown loss': (_terms(dict(type='KDLos', at='logits')), KeyError, 'KDLoss'),
    'unknown loss argument': (_terms(dict(KD, temprature=2)), KeyError, "did you mean 'temperature'"),
    'argument out of range': (_terms(dict(KD, temperature=-1.0)), ValueError, 'temperature: got -1.0'),
    'duplicate name': (_terms(KD, KD), ValueError, "duplicate term name 'kd'"),
    'name with loss': (_terms(dict(KD, name='kd_loss')), ValueError, "neither 'loss' nor '/'"),
    'list for one layer': (_terms(dict(KD, at=['logits', 'logits'])), ValueError, 'dict\\(student=..., teacher=...\\)'),
    'no taps': (_terms(dict(type='KDLoss')), ValueError, "'at' is missing"),
    'no terms': (_terms(), ValueError, 'expected a list'),
    'scores wanted': (_terms(dict(KD, at='backbone.layer4')), ValueError, "use at='logits'"),
    'no teacher': (dict(teacher=None), ValueError, 'there is none'),
    'checkpoint left out': (_teacher(), ValueError, 'checkpoint=None if untrained'),
    'missing checkpoint': (_teacher(checkpoint='no/such.pth'), FileNotFoundError, 'no/such.pth'),
    'missing config': (dict(teacher=dict(config='no/such.py', checkpoint=None)), FileNotFoundError, 'no/such.py'),
    'bad classes': (_teacher(checkpoint=None, classes=[0, 9]), ValueError, 'indices from 0 to 4'),
    'unused teacher': (
        dict(
            teacher={name: dict(config=zoo.config_of('i3d')[0], checkpoint=None) for name in 'ab'},
            terms=[dict(KD, teacher='a')],
        ),
        ValueError,
        "no term reads teacher 'b'",
    ),
    'named within': (_teacher(checkpoint=None, name='big'), KeyError, 'teacher=dict\\(big=dict\\(config='),
    'alias before its activation': (dict(terms=[dict(KD, at='logits:pre')]), ValueError, "leave ':pre' out"),
    'wrong size': (
        dict(teacher=dict(config=zoo.config_of('c3d')[0], checkpoint=None), input_size=(8, 32, 32), terms=[KD]),
        ValueError,
        'set input_size=dict\\(teacher=',
    ),
}


@pytest.mark.parametrize('mistake', MISTAKES)
def test_mistakes_are_told_at_build_in_one_line(mistake):
    change, error, words = MISTAKES[mistake]
    with pytest.raises(error, match=words) as caught:
        MODELS.build(dict(distiller_config(), **copy.deepcopy(change)))
    assert '\n' not in str(caught.value)
