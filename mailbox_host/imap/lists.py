"""LIST, LSUB, NAMESPACE (RFC 3501 6.3.8-9; RFC 2342, 5258, 5819, 6154).

Law: a level that only its children imply is listed as what it is: \\Noselect, or \\NonExistent to who knows the word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from mailbox_host import folders
from mailbox_host.folders import Folder
from mailbox_host.imap.catching_up import catch_up
from mailbox_host.imap.commands import Command, List
from mailbox_host.imap.effects import Steps, read
from mailbox_host.imap.mailboxes import tell_status
from mailbox_host.imap.patterns import SEPARATOR, Patterns
from mailbox_host.imap.responses import mailbox, ok, untagged
from mailbox_host.imap.session import Session
from mailbox_host.imap.settings import INLINE_FOLDERS_MAX
from store import Reader


def namespace(session: Session, command: Command) -> Steps[bytes]:
    yield untagged(b'NAMESPACE (("" "/")) NIL NIL')
    return ok("Done")


def list_mailboxes(session: Session, command: Command) -> Steps[bytes]:
    arguments = command.arguments
    assert isinstance(arguments, List)
    if arguments.patterns == ("",) and not arguments.extended:  # RFC 3501 6.3.8: asks for the separator
        yield untagged(b'LIST (\\Noselect) "/" ""')
        return ok("Done")
    account = session.account
    found = yield from read(lambda reader: folders.list_folders(reader, account))
    subscribed = yield from read(lambda reader: folders.subscriptions(reader, account))
    tree = Tree(found, subscribed if b"SUBSCRIBED" in arguments.select else ())
    long = len(tree.names) * len(arguments.patterns) > INLINE_FOLDERS_MAX
    shown = yield from read(lambda _: list(_listed(tree, arguments, session)), long)
    yield b"".join(untagged(line) for _, line in shown)
    if arguments.status:
        names = [name for name, _ in shown if name in tree.folders]
        yield from _statuses(session, names, arguments.status)
    return ok("Done")


def list_subscribed(session: Session, command: Command) -> Steps[bytes]:
    """LSUB (RFC 3501 6.3.9): a level that is not subscribed stands for what is below it and does not match itself."""
    arguments = command.arguments
    assert isinstance(arguments, List)
    if arguments.patterns == ("",):
        yield untagged(b'LSUB (\\Noselect) "/" ""')
        return ok("Done")
    account = session.account
    subscribed = yield from read(lambda reader: folders.subscriptions(reader, account))
    long = len(subscribed) > INLINE_FOLDERS_MAX
    lines = yield from read(lambda _: list(_subscribed(subscribed, arguments, session)), long)
    yield b"".join(untagged(line) for line in lines)
    return ok("Done")


def _subscribed(subscribed: list[str], asked: List, session: Session) -> Iterator[bytes]:
    patterns = Patterns(asked.reference, asked.patterns)
    shown = {name for name in subscribed if patterns.match(name)}
    hidden = set(subscribed).difference(shown)
    levels = {parent for name in hidden for parent in _parents(name) if patterns.match(parent)}.difference(shown)
    for name in sorted(levels | shown):
        yield _line(b"LSUB", [b"\\Noselect"] if name in levels else [], name, session)


class Tree:
    """An account's folders and the levels that they imply."""

    def __init__(self, found: Iterable[Folder], subscribed: Iterable[str]) -> None:
        self.folders = {folder.name: folder for folder in found}
        self.gone = set(subscribed).difference(self.folders)  # RFC 5258 3.1: subscribed, and there is no such mailbox
        self.parents = {parent for name in self.folders.keys() | self.gone for parent in _parents(name)}
        names = self.folders.keys() | self.parents | self.gone
        self.names = sorted(names, key=lambda name: (name != "INBOX", name))

    def below(self, name: str) -> Iterator[Folder]:
        return (folder for other, folder in self.folders.items() if other.startswith(name + SEPARATOR))


def _parents(name: str) -> Iterator[str]:
    while SEPARATOR in name:
        name = name.rpartition(SEPARATOR)[0]
        yield name


def _listed(tree: Tree, asked: List, session: Session) -> Iterator[tuple[str, bytes]]:
    patterns = Patterns(asked.reference, asked.patterns)
    for name in tree.names:
        if not patterns.match(name):
            continue
        folder = tree.folders.get(name)
        children = _chosen_children(tree, name, asked, patterns)
        if _is_shown(tree, name, folder, asked) or children:
            info = b' ("CHILDINFO" (' + b" ".join(b'"%b"' % option for option in children) + b"))" if children else b""
            gone = b"\\NonExistent" if asked.extended or session.rev2 else b"\\Noselect"
            attributes = [] if folder else [gone]
            yield name, _line(b"LIST", attributes + _attributes(tree, name, folder, asked), name, session) + info


def _is_shown(tree: Tree, name: str, folder: Folder | None, asked: List) -> bool:
    if folder is not None:
        return _chosen(folder, asked)
    if name in tree.gone:
        return b"SPECIAL-USE" not in asked.select
    return not _narrowed(asked)


def _narrowed(asked: List) -> frozenset[bytes]:
    return asked.select & {b"SUBSCRIBED", b"SPECIAL-USE"}


def _chosen(folder: Folder, asked: List) -> bool:
    if b"SUBSCRIBED" in asked.select and not folder.subscribed:
        return False
    return not (b"SPECIAL-USE" in asked.select and not folder.special_use)


def _chosen_children(tree: Tree, name: str, asked: List, patterns: Patterns) -> list[bytes]:
    """RECURSIVEMATCH (RFC 5258 3.5): the options that a child meets which is itself not shown."""
    if b"RECURSIVEMATCH" not in asked.select:
        return []
    hidden = any(_chosen(folder, asked) and not patterns.match(folder.name) for folder in tree.below(name))
    return sorted(_narrowed(asked)) if hidden else []


def _attributes(tree: Tree, name: str, folder: Folder | None, asked: List) -> list[bytes]:
    found = [b"\\HasChildren" if name in tree.parents else b"\\HasNoChildren"]  # RFC 3348
    subscribed = folder.subscribed if folder else name in tree.gone
    if subscribed and b"SUBSCRIBED" in asked.select | asked.returns:
        found.append(b"\\Subscribed")
    if folder and folder.special_use:
        found.append(folder.special_use.encode("ascii"))
    return found


def _line(word: bytes, attributes: list[bytes], name: str, session: Session) -> bytes:
    return word + b" (" + b" ".join(attributes) + b') "/" ' + mailbox(name, session.utf8)


def _statuses(session: Session, names: list[str], items: tuple[bytes, ...]) -> Steps[None]:
    """LIST-STATUS (RFC 5819)."""
    yield from catch_up(session)
    account = session.account
    for name in names:
        folder = yield from read(partial(_find, account, name))
        if folder is not None:
            yield from tell_status(session, folder, items)


def _find(account: str, name: str, reader: Reader) -> Folder | None:
    return folders.find_folder(reader, account, name)
