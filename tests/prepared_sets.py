"""Data sets with a handful of files, prepared as MMAction2's scripts in ``tools/data`` prepare the real ones.

Annotations have the form in which their authors publish them, videos lie where the scripts put them, and the lists are
made by MMAction2's own ``build_file_list.py`` with the arguments of its ``generate_videos_filelist.sh``.
"""

import importlib
import json
import random
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import mmaction

SCRIPTS = Path(mmaction.__file__).parent / '.mim'
CLASSES = dict(kinetics400=400, ucf101=101, hmdb51=51, sthv2=174, diving48=48, jester=27)


def prepare(name: str, write: Callable[[Path, int], None], monkeypatch) -> None:
    """Prepare a data set below ``data/`` of the working directory; its clips have the first and the last label.

    Args:
        name: Name of the data set in ``tools/data``, a key of ``CLASSES``; for Kinetics with its number of classes.
        write: Function that is told a path and a label and writes a video.
        monkeypatch: Pytest's, to run the script as a program would.
    """
    root = Path('data', name)
    (root / 'annotations').mkdir(parents=True)
    last = CLASSES[name] - 1
    for path, label in _LAYOUTS[name](root, last):
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, label)
    folder = 'kinetics' if name.startswith('kinetics') else name
    script = (SCRIPTS / f'tools/data/{folder}/generate_videos_filelist.sh').read_text().replace('${DATASET}', name)
    monkeypatch.syspath_prepend(str(SCRIPTS))
    builder = importlib.import_module('tools.data.build_file_list')
    for arguments in re.findall(r'python tools/data/build_file_list\.py (.*)', script):
        monkeypatch.setattr(sys, 'argv', ['build_file_list.py', *shlex.split(arguments)])
        state = random.getstate()
        builder.main()
        random.setstate(state)


def _class_names(last: int) -> list[str]:
    return [f'Class{label:03d}' for label in range(last + 1)]


def _ucf101(root: Path, last: int) -> list[tuple[Path, int]]:
    names = _class_names(last)
    lines = [f'{label + 1} {name}' for label, name in enumerate(names)]
    (root / 'annotations/classInd.txt').write_text('\n'.join(lines) + '\n')
    train, test = (
        [f'{names[label]}/v_{names[label]}_g{group}_c01.avi' for label in (0, last)] for group in ('08', '01')
    )
    for split in (1, 2, 3):
        numbered = [f'{name} {label + 1}' for name, label in zip(train, (0, last), strict=True)]
        (root / f'annotations/trainlist0{split}.txt').write_text('\n'.join(numbered) + '\n')
        (root / f'annotations/testlist0{split}.txt').write_text('\n'.join(test) + '\n')
    return [
        (root / 'videos' / name, label) for names in (train, test) for name, label in zip(names, (0, last), strict=True)
    ]


def _hmdb51(root: Path, last: int) -> list[tuple[Path, int]]:
    found = []
    for label, name in enumerate(_class_names(last)):
        (root / 'videos' / name).mkdir(parents=True)
        sides = {f'#20_{name}_u_nm_np1_fr_goo_0.avi': 1, f'(2)_{name}!_f_cm_np1_ba_med_1.avi': 2}  # names as theirs
        lines = [f'{video} {side} ' for video, side in sides.items()] if label in (0, last) else []
        for split in (1, 2, 3):
            (root / f'annotations/{name}_test_split{split}.txt').write_text('\n'.join(lines))
        found += [(root / 'videos' / name / video, label) for video in sides if label in (0, last)]
    return found


def _kinetics400(root: Path, last: int) -> list[tuple[Path, int]]:
    found = []
    for split, stamp in (('train', 'AbCdEfGhIjK'), ('val', '-_dEfGhIjKl'), ('test', 'notHereAtAl')):
        rows = [f'class {label:03d},{stamp},{label},{label + 10},{split}' for label in range(last + 1)]
        (root / f'annotations/kinetics_{split}.csv').write_text(
            '\n'.join(['label,youtube_id,time_start,time_end,split', *rows]) + '\n'
        )
        if split != 'test':
            for label in (0, last):
                clip = f'class_{label:03d}/{stamp}_{label:06d}_{label + 10:06d}.mp4'
                found.append((root / f'videos_{split}' / clip, label))
    return found


def _sthv2(root: Path, last: int) -> list[tuple[Path, int]]:
    names = [f'Moving something for the {label}th time' for label in range(last + 1)]
    labels = {name: str(label) for label, name in enumerate(names)}
    (root / 'annotations/something-something-v2-labels.json').write_text(json.dumps(labels))
    found = []
    for split, first in (('train', 78687), ('validation', 74225), ('test', 1420)):
        items = []
        for video, label in ((first, 0), (first + 1, last)):
            template = names[label].replace('something', '[something]')
            items.append(dict(id=str(video)) if split == 'test' else dict(id=str(video), template=template))
            found.append((root / f'videos/{video}.webm', label))
        (root / f'annotations/something-something-v2-{split}.json').write_text(json.dumps(items))
    return found


def _diving48(root: Path, last: int) -> list[tuple[Path, int]]:
    found = []
    for split, stem in (('train', '0tRqA4ZaVR4'), ('test', 'U_bqFKIb_vY')):
        items = [dict(vid_name=f'{stem}_{label:05d}', label=label, start_frame=0, end_frame=99) for label in (0, last)]
        (root / f'annotations/Diving48_V2_{split}.json').write_text(json.dumps(items))
        found += [(root / f'videos/{item["vid_name"]}.mp4', item['label']) for item in items]
    return found


def _jester(root: Path, last: int) -> list[tuple[Path, int]]:
    names = _class_names(last)
    (root / 'annotations/jester-v1-labels.csv').write_text('\n'.join(names) + '\n')
    found = []
    for split, first in (('train', 34870), ('validation', 9223), ('test', 100)):
        pairs = [(first, 0), (first + 1, last)]
        lines = [str(video) if split == 'test' else f'{video};{names[label]}' for video, label in pairs]
        (root / f'annotations/jester-v1-{split}.csv').write_text('\n'.join(lines) + '\n')
        found += [(root / f'videos/{video}.mp4', label) for video, label in pairs]
    return found


_LAYOUTS = dict(
    kinetics400=_kinetics400, ucf101=_ucf101, hmdb51=_hmdb51, sthv2=_sthv2, diving48=_diving48, jester=_jester
)
