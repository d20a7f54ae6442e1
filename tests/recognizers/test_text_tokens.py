"""Tokenizers of folders: the same tokens as the library's, and hostile files refused in one line."""

import json
import shutil

import pytest
import text_models
import torch
import transformers_models as tiny

from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.recognizers.class_prompts import check_names, fill, to_words
from mmkd_video.recognizers.libraries.model_folder import ModelFolder
from mmkd_video.recognizers.libraries.text_tokens import TextTokenizer, TokenRules

TEXTS = ['A video of Jumping.', "it's", 'x ' * 200]
RULES = {
    'clip': TokenRules(64, 80, pads=False, small=False),
    'siglip': TokenRules(64, 80, pads=True, small=True),
    'videoprism': TokenRules(64, 80, pads=True, small=False),
}


@pytest.fixture(scope='module')
def templates(tmp_path_factory):
    tiny.library()
    root = tmp_path_factory.mktemp('templates')
    return {name: text_models.write(root / name, name) for name in RULES}


@pytest.fixture
def folder(templates, tmp_path):
    shutil.copytree(templates['clip'].folder, tmp_path / 'model')
    return tmp_path / 'model'


def read(folder, rules=RULES['clip']):
    return TextTokenizer(ModelFolder(folder, 'teacher.config'), rules)


@pytest.mark.parametrize('name', RULES)
def test_tokens_are_the_librarys(templates, name):
    known = templates[name]
    tokens, mask = read(known.folder, RULES[name])(TEXTS)
    expected = known.tokenizer(
        TEXTS, return_tensors='pt', truncation=True, max_length=64, padding='max_length' if RULES[name].pads else True
    )
    assert torch.equal(tokens, expected['input_ids']) and torch.equal(mask, expected['attention_mask'])
    assert tokens.shape == (3, 64)


def test_texts_are_padded_at_the_side_that_the_settings_say(templates, tmp_path):
    shutil.copytree(templates['siglip'].folder, tmp_path / 'model')
    change(tmp_path / 'model' / 'tokenizer_config.json', padding_side='left')
    tokens, mask = read(tmp_path / 'model', RULES['siglip'])(['a'])
    assert mask[0].tolist() == [0] * 63 + [1] and tokens[0, 0] == 0


def test_what_the_old_class_of_siglip_leaves_out_is_left_out(templates, tmp_path):
    shutil.copytree(templates['siglip'].folder, tmp_path / 'model')
    change(tmp_path / 'model' / 'tokenizer_config.json', tokenizer_class='SiglipTokenizer')
    read_it = read(tmp_path / 'model', RULES['siglip'])
    assert torch.equal(read_it(["A  photo, it's."])[0], read_it(['a photo its'])[0])


def change(path, **changes):
    told = json.loads(path.read_text())
    told.update(changes)
    path.write_text(json.dumps(told))


def change_model(folder, **changes):
    told = json.loads((folder / 'tokenizer.json').read_text())
    told['model'].update(changes)
    (folder / 'tokenizer.json').write_text(json.dumps(told))


def missing(folder):
    (folder / 'tokenizer.json').unlink()


def oversized(folder):
    (folder / 'tokenizer.json').write_bytes(b' ' * ((1 << 26) + 1))


def linked(folder):
    (folder / 'tokenizer.json').rename(folder.parent / 'elsewhere.json')
    (folder / 'tokenizer.json').symlink_to(folder.parent / 'elsewhere.json')


def no_json(folder):
    (folder / 'tokenizer.json').write_text('{"model": ')


def a_list(folder):
    (folder / 'tokenizer.json').write_text('[]')


def no_text(folder):
    (folder / 'tokenizer.json').write_bytes(b'{"model": {"type": "BPE", "x": "\xff"}}')


def strange_model(folder):
    change_model(folder, type='os.system')


def drawn_at_random(folder):
    change_model(folder, dropout=0.5)


def strange_part(folder):
    change(folder / 'tokenizer.json', normalizer=dict(type='os.system'))


def damaged_map(folder):
    change(folder / 'tokenizer.json', normalizer=dict(type='Precompiled', precompiled_charsmap='AAAA'))


def too_many_tokens(folder):
    change_model(folder, vocab={'a</w>': 5000, '<|startoftext|>': 0, '<|endoftext|>': 1})


def endless_pattern(folder):
    part = dict(type='Replace', pattern=dict(Regex='(a|aa)+$'), content='x')
    change(folder / 'tokenizer.json', normalizer=part)


def remote_code(folder):
    change(folder / 'tokenizer_config.json', auto_map=dict(AutoTokenizer=['tokenization_evil.Evil', None]))


def strange_filler(folder):
    change(folder / 'tokenizer_config.json', pad_token=None)
    change(folder / 'tokenizer.json', padding=dict(pad_id=1 << 40, strategy='BatchLongest', direction='Right',
                                                   pad_type_id=0, pad_token='x', pad_to_multiple_of=None))  # fmt: skip


HOSTILE = {
    missing: 'holds no tokenizer.json; expected one, for zero_shot',
    oversized: 'expected at most 67108864',
    linked: 'link that leaves the folder',
    no_json: 'not JSON',
    a_list: 'model: got None, expected a dict of type BPE',
    no_text: 'not JSON|no text',
    strange_model: 'expected a dict of type BPE',
    drawn_at_random: 'model.dropout: got 0.5',
    strange_part: 'tokenizers does not take it as a tokenizer',
    damaged_map: 'tokenizers does not take it',
    too_many_tokens: 'got the token 5000 .* expected some of 0 to 79',
    endless_pattern: 'tokenizers does not take it for these names .*retry-limit',
    remote_code: "'auto_map', which names code",
    strange_filler: 'token of padding|does not take it',
}


@pytest.mark.parametrize('damage', HOSTILE, ids=lambda damage: damage.__name__)
def test_a_hostile_tokenizer_is_refused_in_one_line(folder, damage):
    damage(folder)
    with pytest.raises((WrongValueError, MissingFileError), match=HOSTILE[damage]) as error:
        read(folder)(['a a', 'a' * 60 + '!'])
    message = str(error.value)
    assert '\n' not in message and len(message) < 600 and message.startswith('teacher.config: ')


def test_pickles_and_other_files_beside_it_are_left_alone(folder):
    (folder / 'tokenizer.pkl').write_bytes(b'a pickle')
    (folder / 'vocab.json').write_text('{')
    assert read(folder)(['a'])[0].tolist() == [[0, 2 + len(text_models.LETTERS), 1]]


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('ApplyEyeMakeup', 'apply eye makeup'),
        ('YoYo', 'yo yo'),
        ('push_up', 'push up'),
        ('Pushing [something] from left to right', 'Pushing something from left to right'),
        ('TV', 'TV'),
        ('playing TV games', 'playing TV games'),
    ],
)
def test_a_name_is_read_as_words(name, words):
    assert to_words(name) == words


def test_all_templates_of_a_name_stand_together():
    assert fill(['left', 'TurnAround'], ['{}!', 'a {}']) == ['left!', 'a left', 'turn around!', 'a turn around']


def test_more_names_than_can_be_meant_are_refused():
    with pytest.raises(WrongValueError, match='got 10001 names; expected at most 10000'):
        check_names([f'name {index}' for index in range(10_001)], 'classes')
