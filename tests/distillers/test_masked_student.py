"""A student that sees some of its tokens: the same numbers as with all tokens and attention to some of them."""

import copy
from functools import partial

import masked_students
import pytest
import torch
import torch.nn.functional as F
import transformers_models
import zoo
from masked_students import GRID, batch, build, layer, step
from mmengine.runner.activation_checkpointing import turn_on_activation_checkpointing
from torch import Tensor, nn

from mmkd_video.core.registry import MODELS
from mmkd_video.core.token_subset import TokenSubset
from mmkd_video.recognizers.compiling import compile_parts

TUBE = dict(type='TubeMask', ratio=0.75)
THIRD = dict(type='EveryThirdMask')
TAPS = [f'backbone.blocks.{index}' for index in range(masked_students.LAYERS)]


def attend_to(kept: Tensor, attention: nn.Module, tokens: Tensor) -> Tensor:
    """Compute what an attention of VideoMAE does, with keys and values of some tokens alone."""
    clips, length, channels = tokens.shape
    bias = torch.cat([attention.q_bias, torch.zeros_like(attention.v_bias), attention.v_bias])
    parts = F.linear(tokens, attention.qkv.weight, bias).view(clips, length, 3, attention.num_heads, -1)
    q, k, v = parts.permute(2, 0, 3, 1, 4)
    scores = (q * attention.scale) @ k.transpose(-2, -1)
    scores = scores.masked_fill(~kept[:, None, None], -torch.inf)
    return attention.proj((scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(clips, length, channels))


def outputs_of(student: nn.Module, clips: Tensor) -> list[Tensor]:
    found, handles = [], []
    for block in student.backbone.blocks:
        handles.append(block.register_forward_hook(lambda _module, _inputs, output: found.append(output)))
    student.backbone(clips)
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize('masking', [TUBE, THIRD, dict(type='RandomMask', ratio=0.7)], ids=lambda each: each['type'])
def test_tokens_left_out_are_as_attention_restricted_to_the_others(masking):
    model = build(masking).double()
    for parameter in model.student.parameters():  # most biases begin at zero
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    clips = batch(model)['inputs'].double()
    seen = model._tokens.draw(clips, {})
    with model._tokens.showing(seen):
        dropped = outputs_of(model.student, clips[:, 0])
    assert [each.shape[1] for each in dropped] == [seen.kept.shape[1]] * masked_students.LAYERS
    dense = copy.deepcopy(model.student)
    for block in dense.backbone.blocks:
        block.attn.forward = partial(attend_to, seen.mask().flatten(1), block.attn)
    expected = [seen.of(each) for each in outputs_of(dense, clips[:, 0])]
    weights = [torch.randn_like(each) for each in expected]
    for found, reference in zip(dropped, expected, strict=True):
        torch.testing.assert_close(found, reference, atol=1e-12, rtol=1e-10)
    for outputs in (dropped, expected):
        sum((each * weight).sum() for each, weight in zip(outputs, weights, strict=True)).backward()
    pairs = list(zip(model.student.backbone.parameters(), dense.backbone.parameters(), strict=True))
    for ours, theirs in pairs:
        if theirs.grad is not None:  # the last norm is behind the blocks
            torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-11, rtol=1e-9)
    assert sum(theirs.grad is not None and bool(theirs.grad.any()) for _, theirs in pairs) >= len(pairs) - 2
    assert not torch.allclose(seen.of(outputs_of(model.student, clips[:, 0])[-1]), dropped[-1], atol=1e-3)


@pytest.mark.parametrize('given', [{}, dict(terms=[layer(2), dict(type='KDLoss', at='logits', weight=0.5)])])
def test_a_mask_that_hides_nothing_changes_nothing(given):
    alone, masked = build(None, **given), build(dict(type='TubeMask', ratio=0.0), **given)
    masked.load_state_dict(alone.state_dict())
    masked.training_state.load_state_dict(alone.training_state.state_dict())
    masked.teachers['teacher'].module.load_state_dict(alone.teachers['teacher'].module.state_dict())
    (ours, gradients), (theirs, expected) = (step(each, batch(each)) for each in (masked, alone))
    assert list(ours) == list(theirs)
    for key, value in expected.items():
        torch.testing.assert_close(gradients[key], value, atol=1e-6, rtol=1e-4)


def teacher_map(model, data):
    return model.teachers['teacher'].features(data['views']['teacher'])


@pytest.mark.parametrize('norm', [None, 'layernorm', 'l2'])
def test_each_token_is_aligned_with_the_teachers_at_its_own_place(norm):
    """The teacher's grid is another one: 4 x 16 x 16 places of an I3D."""
    teacher, _ = zoo.config_of('i3d')
    term = dict(type='FitNetLoss', at=(TAPS[2], 'backbone.layer1'), weight=1.0, target_norm=norm, name='layer2')
    model = build(THIRD, terms=[term], teacher=teacher)
    data, records = batch(model), []
    model.student.backbone.blocks[2].register_forward_hook(lambda _m, _i, output: records.append(output))
    losses, _ = step(model, data)
    feature = teacher_map(model, data)['backbone.layer1']
    assert feature.shape[2:] != GRID
    targets = F.interpolate(F.adaptive_avg_pool3d(feature, (2, 4, 4)), GRID, mode='trilinear').flatten(2)
    targets = targets.transpose(1, 2)
    kept = torch.stack([torch.arange(0, 30, 3) + clip for clip in range(2)])
    targets = torch.stack([row[places] for row, places in zip(targets, kept, strict=True)])
    if norm == 'layernorm':
        targets = (targets - targets.mean(-1, keepdim=True)) / (
            targets.var(-1, correction=0, keepdim=True) + 1e-5
        ).sqrt()
    elif norm == 'l2':
        targets = targets / targets.norm(dim=-1, keepdim=True)
    connector = model.training_state.terms['layer2'].pairs[0].connector
    expected = (connector(records[0]) - targets).square().mean()
    torch.testing.assert_close(losses['loss_layer2'], expected)
    shuffled = (connector(records[0]) - targets.flip(1)).square().mean()
    assert (shuffled - expected).abs() > 1e-4 * expected


def test_codes_of_positions_are_those_of_the_places_in_the_grid():
    connector = dict(type='MLPConnector', position=True, out_norm=True)
    model = build(THIRD, terms=[layer(1, connector=connector)])
    built = model.training_state.terms['layer1'].pairs[0].connector
    everywhere = torch.randn(1, 1, 24).expand(2, 32, 24)
    seen = TokenSubset(torch.stack([torch.arange(0, 30, 3), torch.arange(2, 32, 3)]), GRID)
    laid_out = built(everywhere.transpose(1, 2).unflatten(2, GRID)).flatten(2).transpose(1, 2)
    torch.testing.assert_close(built(seen.of(everywhere), seen=seen), seen.of(laid_out))
    records = []
    built.register_forward_hook(lambda _m, _i, keys, _o: records.append(keys['seen']), with_kwargs=True)
    step(model, batch(model))
    assert torch.equal(records[0].kept[0], torch.arange(0, 30, 3))


def test_cross_attention_asks_for_the_places_that_the_student_does_not_see():
    teacher = zoo.config_of('i3d')[0]
    taps = (TAPS[2], 'backbone.layer1')
    term = dict(type='FitNetLoss', at=taps, connector=dict(type='CrossAttentionConnector'), weight=1.0, name='all')
    model = build(THIRD, terms=[term], teacher=teacher)
    loss, sides = model.training_state.terms['all'].loss, []
    loss.register_forward_pre_hook(lambda _m, inputs: sides.extend(inputs))
    data = batch(model)
    step(model, data)
    assert sides[0].shape == sides[1].shape == teacher_map(model, data)['backbone.layer1'].shape


@MODELS.register_module()
class HiddenPlacesLoss(nn.Module):
    """A loss of somebody else, which counts the places that the student does not see."""

    def forward(self, student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
        self.mask = mask
        return student.square().mean() * (~mask).float().mean()


def test_a_loss_that_names_mask_is_told_what_the_student_saw():
    term = dict(type='HiddenPlacesLoss', at=TAPS[0], weight=1.0, name='hidden')
    model = build(THIRD, terms=[term])
    step(model, batch(model))
    mask = model.training_state.terms['hidden'].loss.mask
    assert mask.shape == (2, *GRID) and mask.flatten(1)[1].nonzero().flatten().tolist() == list(range(1, 31, 3))
    without = build(None, terms=[term])
    with pytest.raises(ValueError, match=r"HiddenPlacesLoss needs \['mask'\], which the batch lacks; .*masking=dict"):
        step(without, batch(without))


def test_clips_without_a_label_keep_their_own_places():
    model = build(THIRD, terms=[dict(type='HiddenPlacesLoss', at=TAPS[0], weight=1.0, name='hidden')])
    term = model.training_state.terms['hidden']
    term.needs = ('labels', 'mask')
    term.loss.forward = lambda student, teacher, mask, labels: student.mean() * 0 + mask.flatten(1)[0, 1].float()
    data = zoo.batch_for(masked_students.student(), masked_students.SIZE, clips=3)
    data['data_samples'][0].set_gt_label(-1)
    data = model.data_preprocessor(data, True)
    found, _ = step(model, data)
    assert float(found['hidden_raw']) == 1.0  # of clips 1 and 2 the first sees place 1


def test_validation_export_and_checkpoints_are_the_plain_students():
    model, plain = build(TUBE), MODELS.build(masked_students.student())
    assert list(model.state_dict()) == list(plain.state_dict())
    plain.load_state_dict(model.state_dict())
    data = batch(model)
    step(model, data)
    model.eval(), plain.eval()
    with torch.no_grad():
        for mode in ('tensor', 'predict'):
            ours, theirs = (each(data['inputs'], data['data_samples'], mode=mode) for each in (model, plain))
            ours, theirs = (
                torch.stack([each.pred_score for each in found]) if mode == 'predict' else found
                for found in (ours, theirs)
            )
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize('modules', [['backbone'], TAPS], ids=['backbone', 'blocks'])
def test_what_is_computed_again_sees_the_same_tokens(modules):
    terms = [dict(type='KDLoss', at='logits', weight=1.0)]  # no tap inside of what is computed again
    plain, saving = (build(TUBE, terms=terms) for _ in range(2))
    turn_on_activation_checkpointing(saving.student, modules)
    (ours, gradients), (theirs, expected) = (step(each, batch(each)) for each in (saving, plain))
    assert float(ours['loss_kd'].detach()) == pytest.approx(float(theirs['loss_kd'].detach()))
    for key, value in expected.items():
        torch.testing.assert_close(gradients[key], value, atol=1e-7, rtol=1e-4)


def test_half_precision_and_compilation():
    model = build(dict(type='RandomMask', ratio=0.75))
    data = batch(model)
    expected, gradients = step(model, data)
    with torch.autocast('cpu', torch.bfloat16):
        found, halves = step(model, data)
    for key in ('loss_layer0', 'loss_layer2'):
        torch.testing.assert_close(found[key], expected[key], atol=0.02, rtol=0.02)
    assert all(each.isfinite().all() for each in halves.values())
    compile_parts(model.student, dict(backend='aot_eager'))
    found, compiled = step(model, data)
    torch.testing.assert_close(found['loss_layer2'], expected['loss_layer2'], atol=1e-5, rtol=1e-4)
    for key, value in gradients.items():
        torch.testing.assert_close(compiled[key], value, atol=1e-5, rtol=1e-3)


def test_a_moving_average_of_the_student_sees_all_tokens():
    model = MODELS.build(dict(masked_students.config(TUBE), teacher=dict(type='EMATeacher', momentum=0.9))).train()
    shapes = []
    teacher = model.teachers['teacher']
    copied = next(iter(teacher.copies))
    copied.backbone.blocks[1].register_forward_hook(lambda _m, _i, output: shapes.append(output.shape[1]))
    step(model, batch(model))
    assert shapes == [32]
    assert model.student.backbone.blocks[1].mlp is not copied.backbone.blocks[1].mlp


@pytest.mark.parametrize('name', ['videomae', 'clip', 'vivit'])
def test_masks_follow_the_attention_of_a_model_of_transformers(name, tmp_path):
    made = transformers_models.write(tmp_path, name)
    terms = [
        layer(index, at=(TAPS[index], f'hidden_states[{index}]'), connector=dict(type='MLPConnector', position=True))
        for index in range(2)
    ]
    model = build(dict(type='AttentionMask', ratio=0.75), terms=terms, teacher=dict(config=made.config))
    teacher = model.teachers['teacher']
    data = batch(model)
    clips = data['views']['teacher']
    made.model.set_attn_implementation('eager')
    attentions = transformers_models.run(made, clips[:, 0], output_attentions=True).attentions[-1].mean(dim=1)
    found = teacher.features(clips)['attention_map']
    leading = dict(videomae=0, clip=1, vivit=1)[name]
    expected = attentions[:, 0, 1:] if leading else attentions.mean(dim=1)
    frames = 4 if name == 'clip' else 2
    assert found.shape == (2, 1, frames, 4, 4)
    torch.testing.assert_close(found.flatten(), expected.reshape(-1), atol=1e-5, rtol=1e-4)
    drawn, shown = [], model._tokens.mask.draw
    model._tokens.mask.draw = lambda *given: drawn.append(given[2]) or shown(*given)
    _, gradients = step(model, data)
    pooled = found.unflatten(2, (2, -1)).mean(dim=3).flatten(1)
    torch.testing.assert_close(drawn[0], pooled, atol=1e-5, rtol=1e-4)
    assert all(each.isfinite().all() for each in gradients.values())


def test_a_convolutional_student_aligns_whole_maps(tmp_path):
    made = transformers_models.write(tmp_path, 'videomae')
    taps = ('backbone.layer4', 'hidden_states[2]')
    term = dict(type='CosineLoss', at=taps, weight=1.0, connector=dict(type='MLPConnector'), target_norm='layernorm')
    student, size = zoo.config_of('i3d')
    config = dict(type='Distiller', student=student, teacher=dict(config=made.config), terms=[term])
    config['input_size'] = dict(student=size)
    model = MODELS.build(config).train()
    losses, _ = step(model, model.data_preprocessor(zoo.batch_for(student, (4, 32, 32)), True))
    assert 0 < float(losses['loss_cosine'].detach()) < 4


@pytest.mark.parametrize(
    ('student', 'why'),
    [
        ('mvit', 'MViT, which cannot leave tokens out: its attention pools queries, keys and values by convolutions'),
        ('i3d', 'ResNet3d, which cannot leave tokens out: it is no transformer'),
        ('timesformer', 'TimeSformer, which cannot leave tokens out: its attention is divided'),
    ],
)
def test_a_student_that_needs_all_its_tokens_is_told_why(student, why):
    config = dict(masked_students.config(TUBE), student=zoo.config_of(student)[0])
    with pytest.raises(ValueError, match=f'masking: the student is a {why}.*take masking out'):
        MODELS.build(config)


@pytest.mark.parametrize(
    ('given', 'error', 'message'),
    [
        (dict(masking=7), ValueError, 'masking: got 7; expected'),
        (dict(masking=dict(ratio=0.5)), ValueError, "masking: got .*type='TubeMask'"),
        (dict(student=dict(return_feat_map=True)), ValueError, 'masking: got return_feat_map=True .*=False'),
        (dict(masking=dict(type='AttentionMask')), KeyError, "attention_map"),
        (
            dict(masking=dict(type='AttentionMask', at='logits')),
            ValueError,
            r"masking.at: 'logits' of teacher gives \(1, 5\); expected a map",
        ),
        (
            dict(masking=dict(type='AttentionMask', teacher='techer')),
            KeyError,
            r"masking.teacher: got 'techer'; expected the name .* one of \['teacher'\]; did you mean",
        ),
        (
            dict(masking=dict(type='AttentionMask', at='backbone.blocks.1'), teacher=dict(type='EMATeacher')),
            ValueError,
            "masking.teacher: got 'teacher', a EMATeacher, which answers after the student|masking.at",
        ),
    ],
)  # fmt: skip
def test_mistakes_are_told_when_it_is_built(given, error, message):
    config = masked_students.config(given.get('masking', TUBE))
    config['student']['backbone'].update(given.get('student', {}))
    config['teacher'] = given.get('teacher', config['teacher'])
    with pytest.raises(error, match=message):
        MODELS.build(config)


def test_places_that_a_teachers_tokens_have_not_are_no_guess():
    teacher = masked_students.student(img_size=48, embed_dims=32, num_heads=4)
    with pytest.raises(ValueError, match="teacher's 72 tokens have no places on that grid; tap a map"):
        build(TUBE, teacher=teacher, input_size=dict(teacher=(4, 48, 48)))
