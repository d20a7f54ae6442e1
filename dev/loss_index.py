"""The table of all losses, ``docs/losses/README.md``."""

from dev.loss_docstring import LossDocstring, page_name
from dev.loss_sources import CATEGORIES, WRITTEN, Sources

HEAD = """# Losses

{count} losses, each called as `loss(student, teacher, **named) -> scalar`, unweighted; the term of a config owns the
weight, and is [balanced](../design/balance.md) against the task where it names none. The official weight, with the
settings that go with it, is what the authors' code uses by default; the config on each page is balanced. Those with a
published definition equal their authors' code, and each page says where they differ. Time is a training step of the
embedded pair over the same step with KDLoss alone, memory what its peak is above that ([how both are
measured](../benchmarks.md#losses))."""

RANKED = """The configs of `configs/losses`, on the embedded pair: losses of features and relations stand beside
KDLoss, those of class scores in its place."""


def index_page(classes: dict[str, type], sources: Sources) -> str:
    """Return the page.

    Args:
        classes: The losses by name.
        sources: Sources of the pages.
    """
    parts = [WRITTEN, HEAD.format(count=len(classes))]
    for category, title in CATEGORIES.items():
        rows = [_row(classes[name], sources) for name in sorted(classes) if sources.lines[name]['category'] == category]
        rows += [_method(name, sources) for name in sources.methods if sources.methods[name]['category'] == category]
        parts += [
            f'## {title}',
            '\n'.join(['| loss | | official weight | time | memory |', '|---|---|---|---:|---:|', *rows]),
        ]
    parts += _accuracy(classes, sources)
    return '\n\n'.join(parts) + '\n'


def _accuracy(classes: dict[str, type], sources: Sources) -> list[str]:
    found = sources.accuracy
    if found is None:
        return []

    def title(config: str) -> str:
        name = sources.owner(config)
        if name is None:
            return config
        page = page_name(classes[name]) if name in classes else name.lower()
        several = len(sources.configs[name]) > 1
        return f'[{name}]({page}.md)' + (f' (`{config}`)' if several else '')

    command = f'`{found.comparison.command}`'
    return ['## Accuracy, ranked', RANKED, found.ranking(title), found.note(), command]


def _cost(name: str, sources: Sources) -> tuple[str, str]:
    cost = sources.cost(name)
    time = '' if cost is None else f'{cost.time.median:.3f} x'
    return time, '' if cost is None or cost.memory is None else f'{cost.memory / 1e6:+.1f} MB'


def _method(name: str, sources: Sources) -> str:
    time, memory = _cost(name, sources)
    line = sources.methods[name]
    title = f'{line["loss"]} with `{line["part"].rpartition(".")[2]}`'
    return f'| [{name}]({name.lower()}.md) | {title} | {line["weight"]} | {time} | {memory} |'


def _row(loss_class: type, sources: Sources) -> str:
    name = loss_class.__name__
    time, memory = _cost(name, sources)
    if name == 'KDLoss':
        time, memory = '1', '0'
    link, title = f'[{name}]({page_name(loss_class)}.md)', LossDocstring.of(loss_class).title
    return f'| {link} | {title} | {sources.lines[name]["weight"]} | {time} | {memory} |'
