"""Mixed precision: losses beside those of the plain run, and the terms in float32."""

import clips
import pytest
import tiny
import torch
import zoo

NO_GPU = 'needs a GPU'
TERMS = [tiny.KD, dict(type='FitNetLoss', at='backbone.layer1', weight=1.0)]


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=4)


@pytest.mark.slow
@pytest.mark.parametrize(
    'dtype',
    [
        'bfloat16',
        pytest.param('float16', marks=pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_GPU)),
    ],
)
def test_a_training_has_the_losses_of_the_plain_one(dtype, videos, tmp_path):
    settings = dict(train_cfg=dict(max_epochs=1), val_cfg=None, val_dataloader=None, val_evaluator=None)
    wrapper = dict(type='AmpOptimWrapper', dtype=dtype)
    _, expected = tiny.train(videos, tmp_path / 'plain', 'plain', tiny.distiller(terms=TERMS), **settings)
    ours, found = tiny.train(
        videos, tmp_path / 'amp', 'amp', tiny.distiller(terms=TERMS), optim_wrapper=wrapper, **settings
    )
    assert len(found) == 2 and found != expected
    for mine, theirs in zip(found, expected, strict=True):
        assert mine == pytest.approx(theirs, rel=0.02)
    assert all(parameter.dtype == torch.float32 for parameter in ours.model.parameters())


@pytest.mark.parametrize('kind', ['cpu', 'cuda'])
def test_terms_are_computed_in_float32(kind):
    if kind == 'cuda' and not torch.cuda.is_available():
        pytest.skip(NO_GPU)
    products = dict(type='SPLoss', at='backbone.layer1', weight=1.0)
    model = tiny.build(terms=[tiny.KD, tiny.MAP, products]).to(kind)
    data = model.data_preprocessor(zoo.batch_for(tiny.recognizer(), tiny.SIZE), True)
    seen = {}
    for name, term in model.training_state.terms.items():

        def note(_loss, given, name=name):
            seen[name] = given

        term.loss.register_forward_pre_hook(note)
    with torch.autocast(kind, torch.bfloat16):
        losses = model(**data, mode='loss')
    assert seen['kd'][0].dtype == torch.bfloat16  # features are in half precision, terms are not
    assert {value.dtype for key, value in losses.items() if key.startswith('loss')} == {torch.float32}
    for name, term in model.training_state.terms.items():
        assert torch.equal(losses[f'{name}_raw'], term.loss(*seen[name]).detach()), name
