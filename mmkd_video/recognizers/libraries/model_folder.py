"""A folder with a model: bounded JSON and safetensors, and nothing that leaves the folder or runs code."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.core.plain_data import Anything, Record, Rule, Table, Text, read_json

WEIGHTS, INDEX = 'model.safetensors', 'model.safetensors.index.json'
LONGEST_JSON = 1 << 22  # bytes; the names of 21,000 classes are a fourth of it
LARGEST_WEIGHTS = 1 << 38
PICKLES = ('.bin', '.pt', '.pth', '.ckpt', '.pkl', '.h5', '.msgpack')
_SHARD = Text(200, r'[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors')
_SHARDS = Record(dict(weight_map=Table(_SHARD, most=100_000)), dict(metadata=Anything()))
_SHA256 = re.compile('[0-9a-f]{64}')
_BYTES = 1 << 20


class ModelFolder:
    """A folder as model hubs have them; every file is checked when it is read.

    Args:
        path: The folder.
        key: Name of the setting in errors.

    Raises:
        FileNotFoundError: There is no such folder.
    """

    def __init__(self, path: str | Path, key: str) -> None:
        self.path, self.key = Path(path), key
        if not self.path.is_dir():
            raise MissingFileError(f'{key}: got {str(path)!r}; expected a folder with a model; there is no such folder')
        real = self.path.resolve()
        # A hub's cache keeps snapshots/<revision> full of links to the blobs beside.
        cached = real.parent.name == 'snapshots' and real.parent.parent.name.startswith('models--')
        self._blobs = real.parent.parent / 'blobs' if cached else None
        self._real = real

    def has(self, name: str) -> bool:
        """Return whether there is a file of that name.

        Args:
            name: Name of a file in the folder.
        """
        return (self.path / name).is_file()

    def json(self, name: str, rule: Rule, longest: int = LONGEST_JSON) -> Any:
        """Read a JSON file.

        Args:
            name: Its name.
            rule: Rule that its content must keep.
            longest: Most bytes that it may have.

        Raises:
            FileNotFoundError: There is none.
            ValueError: It is too large, no JSON, against the rule, or a link that leaves the folder.
        """
        path = self._checked(name, longest)
        return read_json(path.read_bytes(), rule, f'{self.key}: {path}', longest)

    def text(self, name: str, longest: int) -> str:
        """Return the text of a file.

        Args:
            name: Its name.
            longest: Most bytes that it may have.

        Raises:
            FileNotFoundError: There is none.
            ValueError: It is too large, no text, or a link that leaves the folder.
        """
        path = self._checked(name, longest)
        try:
            return path.read_text(encoding='utf-8')
        except UnicodeDecodeError:
            raise WrongValueError(f'{self.key}: {path} is no text; copy the model again') from None

    def size_of_weights(self) -> int:
        """Return how many bytes the safetensors of the folder have; 0 where there are none."""
        return sum(each.stat().st_size for each in self.path.glob('*.safetensors') if each.is_file())

    def tensors(self) -> dict[str, Tensor]:
        """Read all weights, as they are.

        Raises:
            FileNotFoundError: There are none.
            ValueError: They are pickles, damaged, not finite, or links that leave the folder.
        """
        if self.has(INDEX) and not self.has(WEIGHTS):
            mapping: Mapping[str, str] = self.json(INDEX, _SHARDS)['weight_map']
            found: dict[str, Tensor] = {}
            for shard in dict.fromkeys(mapping.values()):
                found |= self._read(shard, [name for name, file in mapping.items() if file == shard])
            return found
        if not self.has(WEIGHTS):
            pickles = sorted(each.name for each in self.path.iterdir() if each.suffix in PICKLES)
            if pickles:
                raise WrongValueError(
                    f'{self.key}: {self.path} has its weights in {pickles[0]!r}, which may run code when it is opened; '
                    f'expected {WEIGHTS}: save the model again with safe_serialization=True, or take a revision that '
                    'has it'
                )
            raise MissingFileError(f'{self.key}: {self.path} holds no weights; expected {WEIGHTS}')
        return self._read(WEIGHTS)

    def _read(self, name: str, expected: list[str] | None = None) -> dict[str, Tensor]:
        path = self._checked(name, LARGEST_WEIGHTS)
        self._compare_digest(path)
        try:
            with safe_open(path, framework='pt') as file:
                keys = list(file.keys())
                if expected is not None and set(expected) - set(keys):
                    lacking = sorted(set(expected) - set(keys))[0]
                    raise WrongValueError(
                        f'{self.key}: {path} lacks {lacking[:60]!r}, which {INDEX} says is there; copy the model again'
                    )
                found = {key: file.get_tensor(key) for key in (keys if expected is None else expected)}
        except (SafetensorError, OSError) as error:
            said = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
            raise WrongValueError(
                f'{self.key}: {path} is damaged or no safetensors file ({said}); copy the model again'
            ) from None
        for key, tensor in found.items():
            if tensor.is_floating_point() and not tensor.float().isfinite().all():
                raise WrongValueError(
                    f'{self.key}: {path} holds NaN or infinity in {key[:60]!r}, it is damaged; copy the model again'
                )
        return found

    def _checked(self, name: str, most: int) -> Path:
        """Return the path of a regular file in the folder, no larger than a bound."""
        path = self.path / name
        if not path.is_file():
            raise MissingFileError(f'{self.key}: {self.path} holds no {name}; expected a folder with a model')
        real = path.resolve()
        if not any(home in real.parents for home in (self._real, self._blobs) if home is not None):
            raise WrongValueError(
                f'{self.key}: {path} is a link that leaves the folder, to {real}; expected files of its own'
            )
        if real.stat().st_size > most:
            raise WrongValueError(f'{self.key}: {path} has {real.stat().st_size} bytes; expected at most {most}')
        return path

    def _compare_digest(self, path: Path) -> None:
        """In a hub's cache the name of a large file's blob is the digest of its content."""
        real = path.resolve()
        if self._blobs is None or real.parent != self._blobs or not _SHA256.fullmatch(real.name):
            return
        digest = hashlib.sha256()
        with real.open('rb') as file:
            while block := file.read(_BYTES):
                digest.update(block)
        if digest.hexdigest() != real.name:
            raise WrongValueError(
                f'{self.key}: {path} does not have the digest that its name in the cache says, it is damaged; remove '
                'it and download it again'
            )
