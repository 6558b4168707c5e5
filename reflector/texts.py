"""The words of every answer: plain, friendly, short.

Law: what is said is made of what we know (the source, its addresses, the folder), never of what a stranger wrote.
"""

from __future__ import annotations

from dataclasses import dataclass

from directory.names import FabricNames
from mail.address import mirrored
from mail.footer import WAY_OUT
from reflector.sources import Source


@dataclass(frozen=True, slots=True)
class Text:
    """`purpose` names the answer in its Message-ID and in the day's count."""

    purpose: str
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Voice:
    """Speaks for one source."""

    names: FabricNames
    source: Source

    @property
    def title(self) -> str:
        return self.source.title or self.source.name

    def at(self, detail: str = "") -> str:
        mirror = mirrored(self.source.name) if detail == "owner" else None
        if mirror:  # there, not here
            return f"{mirror[0]}+owner@reflectors.{mirror[1]}"
        return self.names.reflector(self.source.name, detail)

    def welcome(self, folder: str = "") -> Text:
        where = f"in your folder {folder}" if folder else "at this address"
        body = f"You follow {self.title}: new posts arrive {where}."
        return Text("welcome", f"You follow {self.title}", f"{body}\n\n{self._leaving()}")

    def already(self, folder: str = "") -> Text:
        where = f" New posts arrive in your folder {folder}." if folder else " Nothing was changed."
        return Text(
            "already",
            f"You already follow {self.title}",
            f"You already follow {self.title}.{where}\n\n{self._leaving()}",
        )

    def goodbye(self) -> Text:
        body = f"You no longer follow {self.title}. What was already on its way may still arrive."
        return Text("goodbye", f"You no longer follow {self.title}", f"{body}\n\n{self._coming()}")

    def not_following(self) -> Text:
        body = f"You asked to leave {self.title}, but this address does not follow it."
        hint = "Do its posts reach you at another address? Then write from that one."
        return Text("not-following", f"You do not follow {self.title}", f"{body}\n{hint}\n\n{self._coming()}")

    def full(self) -> Text:
        body = f"{self.title} has as many followers as this list takes, so nothing was changed.\n"
        return Text("full", f"{self.title} takes no more followers", f"{body}Please tell {self.at('owner')}.\n")

    def confirm(self, action: str, address: str, days: int) -> Text:
        whats = {"subscribe": f"follow {self.title}", "post": f"post to {self.at()} as {self.source.owner}"}
        what = whats.get(action, f"stop following {self.title}")
        body = (
            f"Somebody, we hope you, asked that {address}\nshould {what}.\n\n"
            f"If you want that, just reply to this mail; its text does not matter.\n"
            f"If you do not, do nothing: nothing happens, and this question ends in {days} days.\n"
        )
        return Text("confirm", f"Please confirm: {what}", body)

    def senders(self, note: str, addresses: list[str]) -> Text:
        known = "".join(f"  {address}\n" for address in addresses) or "  (none)\n"
        body = (
            f"{note}{note and chr(10) * 2}From these addresses you post to {self.at()} without signing in,\n"
            f"if their provider signs what you send (DKIM):\n\n{known}\n"
            f"To change that write, signed in, to {self.at('senders')} with the Subject\n"
            f"  add you@elsewhere.example\n  remove you@elsewhere.example\n"
        )
        return Text("senders", f"Addresses that post to {self.at()}", body)

    def posts_from(self, address: str) -> Text:
        body = f"From now on what {address} sends to {self.at()} is {self.source.owner}'s post.\n"
        return Text("posts-from", f"{address} posts to {self.at()}", f"{body}\n{self._senders()}")

    def enough_senders(self, most: int) -> Text:
        body = f"Nothing was changed: {most} addresses post to {self.at()} already.\n"
        return Text("enough-senders", f"No more addresses may post to {self.at()}", f"{body}\n{self._senders()}")

    def _senders(self) -> str:
        return f"{self.source.owner} changes that, signed in, by mail to {self.at('senders')}.\n"

    def footer(self, note: str, words: str) -> Text:
        stands = "".join(f"  {line}\n" for line in words.split("\n")) if words else "  (nothing)\n"
        body = (
            f"{note}{note and chr(10) * 2}Under the posts of {self.at()} stands, in mailboxes\noutside:\n\n{stands}\n"
            f"To change that, write its text to {self.at('footer')}, signed in; what comes\n"
            f"after a line with two dashes is your client's and left out. In the place of {WAY_OUT}\n"
            f"every reader finds a way to leave of her own. To have no footer, write none as the Subject.\n"
        )
        return Text("footer", f"The footer of {self.at()}", body)

    def probe(self) -> Text:
        body = (
            f"Some of {self.title}'s posts to you came back. If you can read this, all is well again\n"
            f"and there is nothing to do: you go on following. If this comes back too, your\n"
            f"subscription ends.\n\n{self._leaving()}"
        )
        return Text("probe", f"Do the posts of {self.title} reach you?", body)

    def help(self, *, confused: bool = False, owner: bool = False) -> Text:
        opening = "I could not read a command in your mail, so nothing was changed.\n\n" if confused else ""
        body = (
            f"{opening}This is the list of {self.title}'s followers. Only its owner posts to it.\n\n"
            f"  to follow:             mail to {self.at('subscribe')}\n"
            f"  to stop:               mail to {self.at('unsubscribe')}\n"
            f"  to reach the owner:    mail to {self.at('owner')}\n"
            f"  to see this text:      mail to {self.at('help')}\n\n"
            f"The text of such a mail does not matter. You may also write to {self.at()}\n"
            f"with one of these words as the Subject: subscribe, unsubscribe, help.\n"
            f"People with an account here may add a folder: subscribe folder=News\n"
        )
        if owner:
            body += (
                f"\nYou own it. An empty mail to one of these tells you more, signed in:\n\n"
                f"  the footer of what goes to mailboxes outside:   {self.at('footer')}\n"
                f"  addresses elsewhere that you post from:         {self.at('senders')}\n"
            )
        return Text("help", f"How to follow {self.title}", body)

    def _leaving(self) -> str:
        return (
            f"To stop, write to {self.at('unsubscribe')}.\nTo reach its owner, write to {self.at('owner')}.\n"
            "The text of these mails is yours; a command needs none.\n"
        )

    def _coming(self) -> str:
        return f"To follow again, write to {self.at('subscribe')}.\n"
