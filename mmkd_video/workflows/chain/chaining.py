"""The work of a chain: each link is trained, published, and teaches the next."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.lock import locked
from mmkd_video.core.text_table import aligned
from mmkd_video.recognizers.plain_student import is_distillation
from mmkd_video.workflows.chain.links import Link
from mmkd_video.workflows.compare.runs import run_config
from mmkd_video.workflows.train.prepare import prepare
from mmkd_video.workflows.train.run_folder import RunFolder

TABLE = 'table.txt'


def train_chain(links: Sequence[Link], work_dir: Path, *, seed: int = 0, may_prepare: bool = True) -> str:
    """Train the links that are not trained yet, in order.

    Args:
        links: The chain, from :func:`~mmkd_video.workflows.chain.links.read_links`.
        work_dir: Folder of the chain: a folder and a checkpoint for each link.
        seed: Seed of each training.
        may_prepare: Whether clips may be rendered and the first link's teacher trained.

    Returns:
        A table with the accuracy of each link on test.

    Raises:
        FileNotFoundError: Something is missing that may not be prepared.
        RuntimeError: A training failed.
        ValueError: The folder holds a link of another config, or one that another teacher taught.
    """
    rows = []
    with locked(work_dir, 'training a chain'):
        checkpoint: Path | None = None
        for link in links:
            _say(f'{link.number} of {len(links)}: {link.path}')
            if checkpoint is not None:
                link.learn_from(str(checkpoint))
            prepare(link.config, allowed=may_prepare)
            run = RunFolder(work_dir / link.name, run_config(link.config, seed))
            print('trained before' if run.is_finished() else f'in {run.path}', flush=True)
            checkpoint = work_dir / f'{link.name}.pth'
            rows.append((link, run.publish(checkpoint)))
        table = _table(rows)
        write_atomically(table.encode(), work_dir / TABLE)
    return table


def _table(rows: Sequence[tuple[Link, dict[str, Any]]]) -> str:
    metrics = list(dict.fromkeys(key for _, result in rows for key in result['metrics']))
    lines = [('link', 'config', 'teacher', 'parameters', *metrics)]
    for link, result in rows:
        found = [f'{result["metrics"][key]:.4f}' if key in result['metrics'] else '-' for key in metrics]
        lines.append((str(link.number), link.path, _taught_by(link), f'{result["params"]:,}', *found))
    return '\n'.join(aligned(lines, left=3)) + '\n'


def _taught_by(link: Link) -> str:
    if link.teacher is not None:
        return f'link {link.number - 1}'
    return "the config's" if is_distillation(link.config) else 'none'


def _say(message: str) -> None:
    width = min(shutil.get_terminal_size().columns, 100)
    print(f'\n--- {message} '.ljust(width, '-'), flush=True)
