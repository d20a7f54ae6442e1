"""Whether a file is still as ``torch.save`` wrote it.

Such a file is a zip archive with a checksum (CRC-32) of each part, and torch does not look at them: a flipped bit in a
weight is read as another weight.
"""

import errno
import zipfile
from io import BytesIO
from pathlib import Path

MAGIC = b'PK\x03\x04'


def find_damage(source: str | Path | BytesIO) -> str | None:
    """Return what is damaged in a checkpoint file, or None.

    Files without checksums are not judged: those of torch before 1.6, and those that were written with
    ``torch.serialization.set_crc32_options(False)``.

    Args:
        source: A file that is there, or what one holds.

    Raises:
        OSError: It cannot be opened or read.
    """
    if isinstance(source, BytesIO):
        begins = source.getbuffer()[: len(MAGIC)].tobytes()
    else:
        with open(source, 'rb') as file:
            begins = file.read(len(MAGIC))
    if begins != MAGIC:
        return None
    try:
        with zipfile.ZipFile(source) as archive:
            if not any(part.CRC for part in archive.infolist()):
                return None
            wrong = archive.testzip()
    except OSError as error:
        if error.errno != errno.EINVAL:  # which is what a place before the file's beginning gives
            raise
        return 'damaged: its directory names places that the file has not'
    except Exception as error:  # zipfile raises as many types as there are ways to damage an archive
        return f'damaged: {str(error) or type(error).__name__}'
    return None if wrong is None else f'damaged: the checksum of its part {wrong!r} does not match'
