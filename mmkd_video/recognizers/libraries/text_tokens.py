"""The tokenizer of a folder: one JSON file, read as data, and what it makes of texts."""

import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.core.optional_packages import import_extra
from mmkd_video.core.plain_data import Anything, wrong
from mmkd_video.recognizers.libraries.model_folder import ModelFolder
from mmkd_video.recognizers.libraries.transformers_processor import refuse_remote_code

FILE, SETTINGS, SPECIAL = 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'
LARGEST = 1 << 26  # bytes; that of SigLIP 2, with 256,000 tokens, is half of it
WITHOUT_PUNCTUATION = ('SiglipTokenizer', 'SiglipTokenizerFast')
_MODELS = ('BPE', 'Unigram', 'WordLevel', 'WordPiece')


@dataclass(frozen=True)
class TokenRules:
    """What a text tower takes.

    Attributes:
        longest: Most tokens of a text; the rest of a longer one is cut off.
        vocabulary: Number of tokens that it knows.
        pads: Whether each text is filled up to ``longest``; else to the longest one.
        small: Whether texts are made lower case.
    """

    longest: int
    vocabulary: int
    pads: bool
    small: bool


class TextTokenizer:
    """The tokenizer of a folder, which the ``tokenizers`` library runs; nothing of the folder is run.

    Args:
        folder: The model's folder; ``tokenizer.json`` of it is read, and of its settings which token fills texts up,
            and at which side.
        rules: Rules of the text tower.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, unsafe or too large.
        ImportError: tokenizers is not installed.
    """

    def __init__(self, folder: ModelFolder, rules: TokenRules) -> None:
        self.rules, self._where = rules, f'{folder.key}: {folder.path / FILE}'
        if not folder.has(FILE):
            raise MissingFileError(
                f'{folder.key}: {folder.path} holds no {FILE}; expected one, for zero_shot: save the fast tokenizer of '
                'the model into this folder'
            )
        told = folder.json(FILE, Anything(items=LARGEST), LARGEST)
        _check(told, self._where)
        settings = _settings(folder, SETTINGS)
        with self._explaining('as a tokenizer'):
            self._tokenizer = import_extra('tokenizers', 'hf').Tokenizer.from_str(folder.text(FILE, LARGEST))
            self._tokenizer.no_padding()
            self._tokenizer.enable_truncation(max_length=rules.longest)
        self._plain = settings.get('tokenizer_class') in WITHOUT_PUNCTUATION
        self._left = settings.get('padding_side') == 'left'
        self._filler = self._find_filler(told, settings, _settings(folder, SPECIAL))

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return the tokens of texts.

        Args:
            texts: N texts.

        Returns:
            Tokens ``(N, L)``, and 1 where one is no padding, ``(N, L)``.

        Raises:
            ValueError: A token that the text tower does not know.
        """
        with self._explaining('for these names'):
            # one by one: its threads and the forks of data loaders do not go together
            found = [self._tokenizer.encode(self._clean(text)).ids for text in texts]
        for text, tokens in zip(texts, found, strict=True):
            if not tokens or max(tokens) >= self.rules.vocabulary:
                got = f'the token {max(tokens)}' if tokens else 'no token'
                raise WrongValueError(
                    f'{self._where}: got {got} for {text[:60]!r}; expected some of 0 to {self.rules.vocabulary - 1}, '
                    'which the text tower knows; copy both from the same place'
                )
        length = self.rules.longest if self.rules.pads else max(map(len, found))
        tokens, mask = torch.full((len(found), length), self._filler), torch.zeros(len(found), length, dtype=torch.long)
        for row, each in enumerate(found):
            place = slice(length - len(each), None) if self._left else slice(len(each))
            tokens[row, place], mask[row, place] = torch.tensor(each), 1
        return tokens, mask

    def _clean(self, text: str) -> str:
        if self._plain:  # what that class of transformers does itself, before its vocabulary is asked
            text = ' '.join(text.translate(str.maketrans('', '', string.punctuation)).split())
        return text.lower() if self.rules.small else text

    def _find_filler(self, told: Mapping, *settings: Mapping) -> int:
        for each in settings:
            named = each.get('pad_token')
            named = named.get('content') if isinstance(named, dict) else named
            found = self._tokenizer.token_to_id(named) if isinstance(named, str) else None
            if found is not None:
                break
        else:
            padding = told.get('padding')
            found = padding.get('pad_id') if isinstance(padding, dict) else 0
        if type(found) is not int or not 0 <= found < self.rules.vocabulary:
            raise wrong(f'{self._where}: token of padding', found, f'a token of 0 to {self.rules.vocabulary - 1}')
        return found

    @contextmanager
    def _explaining(self, what: str) -> Iterator[None]:
        """Turn whatever the library says into one line; some of its errors derive from ``BaseException`` alone."""
        try:
            yield
        except (WrongValueError, ImportError, MemoryError):
            raise
        except BaseException as error:
            if not isinstance(error, Exception) and type(error).__name__ != 'PanicException':
                raise
            said = ' '.join(str(error).split())[:200]
            raise WrongValueError(
                f'{self._where}: tokenizers does not take it {what} ({said}); copy the model again'
            ) from None


def _settings(folder: ModelFolder, name: str) -> Mapping[str, Any]:
    if not folder.has(name):
        return {}
    where, told = f'{folder.key}: {folder.path / name}', folder.json(name, Anything(items=1 << 20))
    if not isinstance(told, dict):
        raise wrong(where, told, 'a dict')
    refuse_remote_code(told, where)
    return told


def _check(told: Any, where: str) -> None:
    """Refuse a tokenizer whose model is of another kind, or that draws at random."""
    model = told.get('model') if isinstance(told, dict) else None
    if not isinstance(model, dict) or model.get('type', 'BPE') not in _MODELS:
        raise wrong(f'{where}: model', model, f'a dict of type {", ".join(_MODELS)}')
    if model.get('dropout'):
        raise wrong(f'{where}: model.dropout', model['dropout'], 'none, as the same text is to have the same tokens')
