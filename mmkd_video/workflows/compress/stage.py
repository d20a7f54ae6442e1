"""One stage of a compression: a tool's command, its inputs and outputs, and a note of what was done."""

import hashlib
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.plain_data import Many, OneOf, Record, Table, Text, read_json

BEGUN, DONE = 'begun', 'done'
_NOTE = Record(
    dict(command=Text(1 << 20), inputs=Table(Text(64), most=1000, longest_key=5000), state=OneOf((BEGUN, DONE))),
    dict(made=Many(Text(5000), most=1000)),
)


@dataclass(frozen=True)
class Stage:
    """A command that makes files from files.

    Args:
        name: Of the stage.
        tool: Path of the tool, for the message.
        main: Its main function, called with the arguments.
        arguments: Of the command.
        inputs: Files it reads.
        outputs: Files it writes.
        optional: Files that it may write too.
    """

    name: str
    tool: str
    main: Callable[[list[str]], object]
    arguments: Sequence[str]
    inputs: Sequence[Path]
    outputs: Sequence[Path]
    optional: Sequence[Path] = ()

    @property
    def command(self) -> str:
        """What does the same by hand."""
        return shlex.join(['python', self.tool, *self.arguments])

    def run(self, folder: Path, force: bool = False) -> bool:
        """Do what is not done yet.

        Args:
            folder: Of the notes.
            force: Do it again where it was done with other arguments or from other files.

        Returns:
            False where it was done before.

        Raises:
            FileExistsError: It was done with other arguments or from other files, and not ``force``.
            RuntimeError: The tool failed; it has said why.
        """
        path = folder / f'{self.name}.json'
        note = dict(command=self.command, inputs={str(each): digest(each) for each in self.inputs})
        known = read_json(path.read_bytes(), _NOTE, str(path)) if path.is_file() else None
        same = known is not None and {key: known[key] for key in note} == note
        if same and known['state'] == DONE and all(Path(each).is_file() for each in known.get('made', self.outputs)):
            return False
        if known is not None and known['state'] == DONE and not same and not force:
            raise FileExistsError(
                f'{folder} holds the stage {self.name!r} of other settings or files ({known["command"]}); choose '
                'another --work-dir, or --force to do it again'
            )
        write_atomically(json.dumps(dict(note, state=BEGUN), indent=1).encode(), path)
        again = ['--force'] if known is not None else []  # what lies there was made here
        try:
            self.main([*self.arguments, *again])
        except SystemExit as stop:
            if stop.code not in (0, None):
                raise RuntimeError(f'the stage {self.name!r} failed; by hand: {self.command}') from None
        missing = [str(each) for each in self.outputs if not each.is_file()]
        if missing:
            raise RuntimeError(f'the stage {self.name!r} did not write {", ".join(missing)}; by hand: {self.command}')
        made = [str(each) for each in (*self.outputs, *self.optional) if each.is_file()]
        write_atomically(json.dumps(dict(note, state=DONE, made=made), indent=1).encode(), path)
        return True


def as_arguments(options: Mapping[str, object]) -> list[str]:
    """Write settings as options of a command line: ``max_drop=0.01`` becomes ``--max-drop 0.01``.

    Args:
        options: Lists give several values, True a flag; False and None leave the option out.
    """
    found: list[str] = []
    for key, value in options.items():
        if value is None or value is False:
            continue
        found.append('--' + key.replace('_', '-'))
        if isinstance(value, (list, tuple)):
            found += map(str, value)
        elif value is not True:
            found.append(str(value))
    return found


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
