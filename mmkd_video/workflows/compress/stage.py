"""One stage of a compression: a function, its settings, its inputs and outputs, and a note of what was done."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.digest import sha256_of
from mmkd_video.core.mistakes import ExistingFileError, WorkFailedError
from mmkd_video.core.plain_data import Many, OneOf, Record, Table, Text, read_json

BEGUN, DONE = 'begun', 'done'
_NOTE = Record(
    dict(command=Text(1 << 20), inputs=Table(Text(64), most=1000, longest_key=5000), state=OneOf((BEGUN, DONE))),
    dict(made=Many(Text(5000), most=1000)),
)


@dataclass(frozen=True)
class Stage:
    """A step that makes files from files. Its settings are passed to a function and shown as the command of a tool.

    Args:
        name: The stage's name.
        tool: Path of the tool that does the same by hand, with its subcommand.
        function: Function that does the work; called with ``sources``, the settings as keywords and ``force``.
        sources: Positional arguments of the tool's command line.
        settings: Options of the tool by name, with ``_`` for ``-``; None and False leave one out.
        inputs: Files it reads.
        outputs: Files it writes.
        optional: Files that it may write too.
    """

    name: str
    tool: str
    function: Callable[..., object]
    sources: Sequence[str]
    settings: Mapping[str, object] = field(default_factory=dict)
    inputs: Sequence[Path] = ()
    outputs: Sequence[Path] = ()
    optional: Sequence[Path] = ()

    @property
    def arguments(self) -> list[str]:
        """The settings on the tool's command line."""
        return [*self.sources, *as_arguments(self.settings)]

    @property
    def command(self) -> str:
        """The command that does the same by hand."""
        return shlex.join(['python', *self.tool.split(), *self.arguments])

    def run(self, folder: Path, force: bool = False) -> bool:
        """Do what is not done yet.

        Args:
            folder: Folder of the notes.
            force: Whether to do it again where it was done with other settings or from other files.

        Returns:
            False where it was done before.

        Raises:
            FileExistsError: It was done with other settings or from other files, and not ``force``.
            RuntimeError: It failed.
        """
        path = folder / f'{self.name}.json'
        note = dict(command=self.command, inputs={str(each): sha256_of(each) for each in self.inputs})
        known = read_json(path.read_bytes(), _NOTE, str(path)) if path.is_file() else None
        same = known is not None and {key: known[key] for key in note} == note
        if same and known['state'] == DONE and all(Path(each).is_file() for each in known.get('made', self.outputs)):
            return False
        if known is not None and known['state'] == DONE and not same and not force:
            raise ExistingFileError(
                f'{folder} holds the stage {self.name!r} of other settings or files ({known["command"]}); choose '
                'another --work-dir, or --force to do it again'
            )
        write_atomically(json.dumps(dict(note, state=BEGUN), indent=1).encode(), path)
        self._call(force=known is not None)  # what lies there was made here
        missing = [str(each) for each in self.outputs if not each.is_file()]
        if missing:
            raise WorkFailedError(
                f'the stage {self.name!r} did not write {", ".join(missing)}; by hand: {self.command}'
            )
        made = [str(each) for each in (*self.outputs, *self.optional) if each.is_file()]
        write_atomically(json.dumps(dict(note, state=DONE, made=made), indent=1).encode(), path)
        return True

    def _call(self, force: bool) -> None:
        given = {key: value for key, value in self.settings.items() if value is not None}
        try:
            self.function(*self.sources, **given, force=force)
        except BrokenPipeError:  # nobody reads on
            raise
        except Exception as error:  # whatever a stage raises ends it
            said = error.args[0] if isinstance(error, KeyError) and error.args else error
            text = f'{said} (the stage {self.name!r} failed; by hand: {self.command})'
            failed = WorkFailedError(text)
            failed.errno = getattr(error, 'errno', None)  # such as that of a full disk
            raise failed from error


def as_arguments(options: Mapping[str, object]) -> list[str]:
    """Write settings as options of a command line: ``max_drop=0.01`` becomes ``--max-drop 0.01``.

    Args:
        options: Lists give several values, lists of tuples an option several times, True a flag; False and None leave
            the option out.
    """
    found: list[str] = []
    for key, value in options.items():
        if value is None or value is False:
            continue
        option = '--' + key.replace('_', '-')
        if isinstance(value, (list, tuple)) and value and isinstance(value[0], (list, tuple)):
            for each in value:
                found += [option, *map(str, each)]
        elif isinstance(value, (list, tuple)):
            found += [option, *map(str, value)]
        else:
            found += [option] if value is True else [option, str(value)]
    return found
