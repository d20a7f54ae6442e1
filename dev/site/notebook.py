"""A notebook as a page."""

import json
from collections.abc import Mapping
from pathlib import Path


def as_markdown(path: Path) -> str:
    """Return the cells of a notebook, with what they printed and drew.

    Args:
        path: Path of the notebook.
    """
    parts = []
    for cell in json.loads(path.read_text(encoding='utf-8'))['cells']:
        source = ''.join(cell['source']).rstrip()
        if cell['cell_type'] == 'markdown':
            parts.append(source)
        elif source:
            parts += [f'```python\n{source}\n```', *map(_shown, cell['outputs'])]
    return '\n\n'.join(parts) + '\n'


def _shown(output: Mapping) -> str:
    if output['output_type'] == 'stream':
        return _block(output['text'])
    data = output['data']
    if 'image/png' in data:
        return f'![What the cell draws](data:image/png;base64,{"".join(data["image/png"]).strip()})'
    return _block(data['text/plain'])


def _block(lines: str | list[str]) -> str:
    return f'```text title="Output"\n{"".join(lines).rstrip()}\n```'
