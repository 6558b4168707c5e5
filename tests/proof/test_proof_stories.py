"""Stories: people elsewhere who are heard because their domain sealed what they wrote, and others who are not."""

from __future__ import annotations

import asyncio
import re
from email.message import EmailMessage
from functools import partial

import pytest

from heliograph.federation import flood
from reflector import sender_commands, senders
from reflector.senders import question_about
from tests.fabric.town import OUTSIDE, Town, from_outside, read, until
from tests.proof.seals import COVERED, OTHERS, sealed, written

pytestmark = pytest.mark.asyncio(loop_scope="package")

LIST, FOLLOW, LEAVE = (f"bob{detail}@reflectors.fabric.test" for detail in ("", "+subscribe", "+unsubscribe"))
wish = partial(written, subject="", text="hello")
YES, NO = "You follow bob", "Please confirm"


def homes(town: Town) -> tuple[int, int]:
    """The host of bob's list, and another one."""
    directory = town.hosts["host-1"].directory.current
    own = int(directory.owner("reflectors", directory.names.bucket("bob")).removeprefix("host-"))
    return own, own % 3 + 1


async def bring(town: Town, sender: str, to: str | list[str], content: bytes, host: int = 0) -> str:
    there = [to] if isinstance(to, str) else to
    return await from_outside(town.address(host or homes(town)[0]), town.config.ports.smtp, sender, there, content)


def got(town: Town, person: str) -> list[str]:
    """The subjects of what a person elsewhere has got."""
    return [str(read(content)["Subject"]) for _, to, content in town.abroad.mail if person in to]


async def comes(town: Town, person: str, subject: str) -> EmailMessage:
    def look() -> list[EmailMessage]:
        letters = [read(content) for _, to, content in town.abroad.mail if person in to]
        return [one for one in letters if str(one["Subject"]).startswith(subject)]

    return (await until(look, lambda: f"{person} has {got(town, person)}"))[-1]


async def let_in(town: Town, address: str, owner: str = "bob") -> None:
    """The owner names an address, and its mailbox confirms."""
    await tell(town, owner, f"add {address}")
    await say_yes(town, address)
    await comes(town, address, f"{address} posts to")


async def say_yes(town: Town, address: str) -> None:
    token = str((await comes(town, address, NO))["Reply-To"])
    assert re.match(r"[a-z]+\+confirm\.", token)
    await bring(town, address, token, written(address, token, "Re: please confirm"))


async def tell(town: Town, owner: str, words: str) -> str:
    """What she is answered who writes this to ``+senders@``."""
    person = town.person(owner)
    before = len(await person.letters())
    assert (await person.send(f"{owner}+senders@reflectors.fabric.test", words)).startswith("250")
    await town.still()
    return "".join(one.get_content() for one in (await person.letters())[before:])


async def posted(town: Town, reader: str) -> list[str]:
    await town.still()
    return [subject for _, subject in await town.person(reader).posts()]


def accepted(town: Town) -> int:
    """How many messages came in, on all hosts."""
    sql = "SELECT count(*) FROM event WHERE kind = 'accepted'"
    return sum(int(row[0]) for host in town.hosts.values() if (row := host.store.reader.one(sql)))


# following


@pytest.mark.parametrize("at_home", [True, False])
async def test_who_is_proven_follows_at_once(town: Town, at_home: bool) -> None:
    host, who = homes(town)[not at_home], f"carol{at_home:d}@{OUTSIDE}"
    assert (await bring(town, who, FOLLOW, sealed(wish(who, FOLLOW)), host)).startswith("250")
    await comes(town, who, YES)
    assert (await bring(town, who, LEAVE, sealed(wish(who, LEAVE)), host)).startswith("250")
    await town.still()
    assert got(town, who) == [YES, "You no longer follow bob"]


async def test_the_words_may_stand_in_the_subject(town: Town) -> None:
    who = f"dan@{OUTSIDE}"
    await bring(town, who, LIST, sealed(written(who, LIST, "subscribe")))
    await comes(town, who, YES)
    to = "bob-request@reflectors.fabric.test"
    await bring(town, who, to, sealed(written(who, to, "unsubscribe")))
    await comes(town, who, "You no longer follow bob")


async def test_the_same_seal_is_taken_once(town: Town) -> None:
    who, word = f"dora@{OUTSIDE}", sealed(wish(f"dora@{OUTSIDE}", FOLLOW))
    await bring(town, who, FOLLOW, word)
    await comes(town, who, YES)
    await bring(town, who, LEAVE, sealed(wish(who, LEAVE)))
    await comes(town, who, "You no longer")
    again = b"X-New: 1\r\n" + word
    for host in (1, 2, 3):
        assert (await bring(town, f"mallory@{OUTSIDE}", FOLLOW, again, host)).startswith("250")
    await town.still()  # else what is on its way to the list's host is counted when it arrives
    queued = accepted(town)
    for host in (1, 2, 3):  # what a host has let in is not even queued
        assert (await bring(town, f"mallory@{OUTSIDE}", FOLLOW, again, host)).startswith("250")
    assert accepted(town) == queued
    two = sealed(sealed(wish(who, FOLLOW)), "evil.example", OTHERS)  # the order of two seals is anybody's
    await bring(town, who, FOLLOW, two)
    await town.still()
    assert got(town, who) == [YES, "You no longer follow bob", YES]


async def test_a_seal_over_our_own_words_gives_them_no_weight(town: Town) -> None:
    who, ours = f"hal@{OUTSIDE}", ("Heliograph-Authenticated", "Heliograph-Control", "Heliograph-Proven")
    for field, value in zip(ours, ("heidi", "remove-source source=bob", f"victim@{OUTSIDE}"), strict=True):
        word = wish(who, FOLLOW, **{field.replace("-", "_"): value})
        await bring(town, who, FOLLOW, sealed(word, covered=(*COVERED, field.lower())))
    await comes(town, who, "You already follow bob")
    await town.still()
    assert got(town, f"victim@{OUTSIDE}") == [] and not [
        one for one in await town.person("heidi").subjects() if YES in one
    ]


UNPROVEN = {
    "changed": lambda who: sealed(wish(who, FOLLOW)).replace(b"hello", b"hullo"),
    "unsigned": lambda who: wish(who, FOLLOW),
    "another list": lambda who: sealed(wish(who, "erin+subscribe@reflectors.fabric.test")),
    "another word": lambda who: sealed(wish(who, LEAVE)),
    "another's To": lambda who: sealed(wish(who, f'"{FOLLOW}" <mallory@{OUTSIDE}>, ({FOLLOW}) m@{OUTSIDE}')),
    "To is not sealed": lambda who: sealed(wish(who, FOLLOW), covered=COVERED[:1] + COVERED[2:]),
    "any Subject": lambda who: sealed(written(who, FOLLOW, "Out of office")),
    "another Subject": lambda who: sealed(written(who, FOLLOW, "unsubscribe")),
    "a Subject of a responder": lambda who: sealed(written(who, FOLLOW, "Auto: subscribe")),
    "an answer": lambda who: sealed(wish(who, FOLLOW, In_Reply_To="<a@b>")),
    "an answer's thread": lambda who: sealed(wish(who, FOLLOW, References="<a@b>")),
    "a receipt": lambda who: sealed(wish(who, FOLLOW, Content_Type="multipart/report; boundary=x")),
    "large": lambda who: sealed(wish(who, FOLLOW, text="word " * 20_000)),
    "keys that nobody gives": lambda who: sealed(wish(who, FOLLOW), selector="broken"),
    "keys on trial": lambda who: sealed(wish(who, FOLLOW), selector="trial"),
    "another's seal": lambda who: sealed(wish(who, FOLLOW), "evil.example", OTHERS),
}


@pytest.mark.parametrize("how", UNPROVEN)
async def test_who_is_not_proven_is_asked(town: Town, how: str) -> None:
    who = f"finn{sorted(UNPROVEN).index(how)}@{OUTSIDE}"
    assert (await bring(town, who, FOLLOW, UNPROVEN[how](who))).startswith("250")
    await comes(town, who, NO)
    assert YES not in got(town, who)


@pytest.mark.parametrize(
    ("sender", "field"), [("", {}), ("x", {"Auto_Submitted": "auto-replied"}), ("x", {"Precedence": "bulk"})]
)
async def test_machines_are_not_heard(town: Town, sender: str, field: dict[str, str]) -> None:
    who = f"robot{len(sender)}{len(field)}@{OUTSIDE}"
    await bring(town, sender and who, FOLLOW, sealed(wish(who, FOLLOW, **field)))
    await town.still()
    assert got(town, who) == []


async def test_what_a_list_takes_of_one_organization_is_bounded(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flood, "POSTS", 0)  # what is left when many were heard
    for host in town.hosts.values():
        proof = host.counting._door._door  # type: ignore[attr-defined]
        monkeypatch.setattr(proof, "_allowances", flood.Allowances())
    who = f"gil@{OUTSIDE}"
    await bring(town, who, FOLLOW, sealed(wish(who, FOLLOW)))
    await comes(town, who, NO)


async def test_our_own_seal_on_its_way_back_is_no_proof(town: Town) -> None:
    """A person here signs in; what we sealed of hers somebody elsewhere could bring."""
    word = wish("erin@fabric.test", FOLLOW)
    records = town.names.records  # type: ignore[attr-defined]
    records["s._domainkey.fabric.test", "TXT"] = records[f"s._domainkey.{OUTSIDE}", "TXT"]
    await bring(town, f"m@{OUTSIDE}", FOLLOW, sealed(word, "fabric.test"))
    await town.still()
    assert await town.person("erin").subjects() == [f"{NO}: follow bob"]


# posting


async def test_an_owner_posts_from_elsewhere(town: Town) -> None:
    home, (own, other) = f"bob.home@{OUTSIDE}", homes(town)
    alice = town.person("alice")
    await alice.send(FOLLOW, "hello")
    assert (await bring(town, home, LIST, sealed(written(home, LIST, "Too early")))).startswith("550")
    await let_in(town, home)
    word = sealed(written(f"Bob at home <{home}>", f"friends@{OUTSIDE}, {LIST}", "From the beach"))
    for host in (own, other):  # the second is a repeat
        assert (await bring(town, home, LIST, b"X-New: %d\r\n" % host + word, host)).startswith("250")
    assert (await bring(town, home, LIST, sealed(written(home, LIST, "By another door")), other)).startswith("250")
    for host in (own, other):  # anybody may say that he is bob
        forged = written(home, LIST, "Forged")
        for content in (forged, sealed(forged, "evil.example", OTHERS), sealed(forged, key=OTHERS)):
            assert (await bring(town, home, LIST, content, host)).startswith("550 5.7.1 only bob may post")
    assert await posted(town, "alice") == ["From the beach", "By another door"]
    first = (await alice.letters())[-2]
    assert str(first["From"]) == "Bob at home <bob@fabric.test>" and not first["X-New"]
    assert not [trace for trace in first.get_all("Received") if not trace.startswith(("by ", "from host-"))]
    assert OUTSIDE not in str(first).replace(f"friends@{OUTSIDE}", "").replace("x@y", "")


async def test_what_a_post_from_elsewhere_may_not_be(town: Town) -> None:
    home, (own, other) = f"bob.train@{OUTSIDE}", homes(town)
    await let_in(town, home)
    for host in (own, other):
        for field in ({"List_Id": "<a.b>"}, {"Auto_Submitted": "auto-generated"}, {"Precedence": "list"}):
            wrong = sealed(written(home, LIST, "A machine's", **field))
            assert (await bring(town, home, LIST, wrong, host)).startswith("550")
        unnamed = sealed(written(home, f"friends@{OUTSIDE}", "For others"))
        assert (await bring(town, home, LIST, unnamed, host)).startswith("550")
        stranger = sealed(written(f"eve@{OUTSIDE}", LIST, "Not his"))
        assert (await bring(town, home, LIST, stranger, host)).startswith("550")
        unsure = sealed(written(home, LIST, "Who knows"), selector="broken")
        assert (await bring(town, home, LIST, unsure, host)).startswith("451 4.7.5")
        unsure = sealed(written(f"eve@{OUTSIDE}", LIST, "Nobody's"), selector="broken")
        assert (await bring(town, home, LIST, unsure, host)).startswith("550")
    loop = b"X-Loop: bob@reflectors.fabric.test\r\n" + sealed(written(home, LIST, "It was here"))
    assert (await bring(town, home, LIST, loop)).startswith("250")
    assert not {"A machine's", "For others", "Not his", "Who knows", "It was here"} & set(await posted(town, "alice"))


async def test_others_of_the_same_mail_get_it_too(town: Town) -> None:
    home = f"bob.desk@{OUTSIDE}"
    await let_in(town, home)
    to = [LIST, "heidi@fabric.test"]
    assert (await bring(town, home, to, sealed(written(home, ", ".join(to), "To both")))).startswith("250")
    assert "To both" in await posted(town, "alice")
    assert "To both" in await town.person("heidi").subjects()


async def test_an_owner_adds_lists_and_removes(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    for room in (senders, sender_commands):
        monkeypatch.setattr(room, "SENDERS_MAX", 2)
    mine = [f"erin{number}@{OUTSIDE}" for number in range(3)]
    to, other = "erin@reflectors.fabric.test", home_of(town, "erin") % 3 + 1
    for address in mine:  # a question is no address yet
        assert f"{address} was asked" in await tell(town, "erin", f"add {address}")
    for address, answer in zip(mine, (f"{mine[0]} posts to", f"{mine[1]} posts to", "No more addresses"), strict=True):
        await say_yes(town, address)
        await comes(town, address, answer)
    assert "no more are taken" in await tell(town, "erin", f"add {mine[2]}")
    told = await tell(town, "erin", "")
    assert mine[0] in told and mine[1] in told and mine[2] not in told
    assert (await bring(town, mine[0], to, sealed(written(mine[0], to, "Mine")), other)).startswith("250")
    assert "does not post here" in await tell(town, "erin", f"remove {mine[0]}")
    assert "was not among them" in await tell(town, "erin", f"remove {mine[0]}")
    late = sealed(written(mine[0], to, "No more"))
    assert (await bring(town, mine[0], to, late, home_of(town, "erin"))).startswith("550")
    # The other host was told a moment ago that there is one: nobody gets a bounce for that.
    assert (await bring(town, mine[0], to, late, other)).startswith("250")
    await town.still()
    assert len(got(town, mine[0])) == 2
    for wrong in ("alice@fabric.test", "bob@reflectors.fabric.test", "nonsense"):
        assert "no address elsewhere" in await tell(town, "erin", f"add {wrong}")


async def test_nobody_lets_another_address_in_but_the_owner_signed_in(town: Town) -> None:
    home, to = f"bob.bed@{OUTSIDE}", "bob+senders@reflectors.fabric.test"
    await let_in(town, home)
    await bring(town, home, to, sealed(written(home, to, f"add mallory1@{OUTSIDE}")))
    await town.person("alice").send(to, f"add mallory2@{OUTSIDE}")
    await town.still()
    assert got(town, f"mallory1@{OUTSIDE}") == got(town, f"mallory2@{OUTSIDE}") == []
    for name in ("alice", "heidi"):  # nor asks whether there is one
        answer = await town.person(name).send(f"bob+{question_about(home)}@reflectors.fabric.test", "x")
        assert answer.startswith("550 5.1.1")
    there = f"bob+{question_about(home)}@reflectors.fabric.test"
    assert (await bring(town, home, there, wish(home, there))).startswith("550 5.1.1")


async def test_a_host_that_cannot_ask_puts_the_post_off(town: Town) -> None:
    home, (own, other) = f"bob.away@{OUTSIDE}", homes(town)
    await let_in(town, home)
    await town.stop(f"host-{own}")
    try:
        word = sealed(written(home, LIST, "Patience"))
        assert (await bring(town, home, LIST, word, other)).startswith("451 4.4.1")
        assert (await bring(town, home, LIST, written(home, LIST, "Forged"), other)).startswith("550")
    finally:
        await town.start(f"host-{own}")


async def test_a_server_in_front_grants_nothing(town: Town) -> None:
    """What it found of a seal may be shown; only our own look at it counts."""
    said = b"Authentication-Results: mx.fabric.test; dmarc=pass header.from=elsewhere.example\r\n"
    for who, seal, answer in ((f"ines@{OUTSIDE}", lambda word: word, NO), (f"jon@{OUTSIDE}", sealed, YES)):
        assert (await by_front(town, who, FOLLOW, said + seal(wish(who, FOLLOW)))).startswith("250")
        await comes(town, who, answer)
        assert len(got(town, who)) == 1


async def by_front(town: Town, sender: str, to: str, content: bytes) -> str:
    """Hand over as a server in front does, by LMTP; return the reply."""
    front, port = town.address(1), town.config.ports.lmtp
    reader, writer = await asyncio.open_connection(town.address(homes(town)[0]), port, local_addr=(front, 0))

    async def ask(line: bytes) -> str:
        writer.write(line + b"\r\n" if line else b"")
        while (reply := (await reader.readline()).decode())[3:4] == "-":
            pass
        return reply

    try:
        for line in ("", "LHLO mx.fabric.test", f"MAIL FROM:<{sender}>", f"RCPT TO:<{to}>", "DATA"):
            reply = await ask(line.encode())
            assert reply[0] in "23", reply
        return await ask(content + b".")
    finally:
        writer.close()


def home_of(town: Town, name: str) -> int:
    directory = town.hosts["host-1"].directory.current
    return int(directory.owner("reflectors", directory.names.bucket(name)).removeprefix("host-"))


async def test_an_owner_has_so_many_strangers_asked_in_a_day(town: Town) -> None:
    to = "heidi@reflectors.fabric.test".replace("@", "+senders@")
    asked = [f"victim{number}@{OUTSIDE}" for number in range(11)]
    for address in asked:
        await town.person("heidi").send(to, f"add {address}")
        await town.person("heidi").send(to, f"remove {address}")
    await town.still()
    assert sum(bool(got(town, address)) for address in asked) == 10  # half of the day's twenty answers
