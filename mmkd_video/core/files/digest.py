"""Files and settings told apart by what is in them."""

import hashlib
import json
from pathlib import Path
from typing import Any

_BLOCK = 1 << 20


def sha256_of(*paths: str | Path) -> str:
    """Return the SHA-256 of the content of files, in hexadecimal digits; they are not held in memory.

    Args:
        *paths: The file, or files that are read as one.

    Raises:
        OSError: One cannot be read.
    """
    digest = hashlib.sha256()  # hashlib.file_digest needs Python 3.11
    for path in paths:
        with open(path, 'rb') as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def sha256_of_settings(settings: Any) -> str:
    """Return the SHA-256 of settings, whatever the order of their keys, in hexadecimal digits.

    Args:
        settings: Nested dicts and lists; what JSON does not know counts as its text.
    """
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()
