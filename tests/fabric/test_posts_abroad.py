"""What a foreign mailbox gets of a post: signed, DMARC-safe, with a way out of its own that works from any host."""

from __future__ import annotations

import re
import ssl

import aiohttp
import dkim

from tests.fabric.town import OUTSIDE, Town, from_outside, letter, read

ZOE, YVES = f"zoe@{OUTSIDE}", f"yves@{OUTSIDE}"


async def follow(town: Town, who: str, source: str = "bob") -> None:
    """Subscribe by mail, and confirm."""
    smtp = town.config.ports.smtp
    to = f"{source}+subscribe@reflectors.fabric.test"
    assert (await from_outside(town.address(1), smtp, who, [to], letter(who, to, "please"))).startswith("250")
    await town.still()
    question = [read(content) for _, to_, content in town.abroad.mail if to_ == [who]][-1]
    answer = str(question["Reply-To"])
    assert (await from_outside(town.address(2), smtp, who, [answer], letter(who, answer, "yes"))).startswith("250")
    await town.still()


def posts(town: Town, who: str) -> list[tuple[str, bytes]]:
    return [
        (sender, content)
        for sender, to, content in town.abroad.mail
        if to == [who] and b"\nList-Unsubscribe-Post" in content
    ]


def verdicts(town: Town, content: bytes) -> list[bool]:
    """Each signature's, by what the zone publishes."""
    texts = next(iter(town.hosts.values())).directory.current.dkim

    def published(name: bytes, timeout: int = 5) -> bytes:
        return texts[name.decode().partition("._domainkey.fabric.test")[0]][0].encode()

    count = len(re.findall(rb"(?mi)^DKIM-Signature:", content))
    return [bool(dkim.DKIM(content).verify(idx=index, dnsfunc=published)) for index in range(count)]


async def click(town: Town, url: str, host: int, body: bytes | None = b"List-Unsubscribe=One-Click") -> tuple[int, str]:
    """Follow a way out, at one of the hosts."""
    context = ssl.create_default_context(cafile=str(town.config.tls.ca))
    there = url.replace("mail.fabric.test", town.address(host))
    async with aiohttp.ClientSession() as client:
        ask = client.get(there, ssl=context) if body is None else client.post(there, data=body, ssl=context)
        async with ask as answer:
            return answer.status, await answer.text()


def way_out(content: bytes) -> tuple[str, str]:
    field = str(read(content)["List-Unsubscribe"])
    url, mail = re.findall("<([^>]*)>", field)
    return url, mail.removeprefix("mailto:")


async def test_a_post_is_signed_and_each_copy_has_its_way_out(town: Town) -> None:
    for who in (ZOE, YVES):
        await follow(town, who)
    town.abroad.mail.clear()
    await town.person("bob").submit(letter("Bob <bob@fabric.test>", "bob@reflectors.fabric.test", "Grüße", "ü"), BOB)
    await town.still()
    (path, copy), (_, other) = posts(town, ZOE)[0], posts(town, YVES)[0]
    found = read(copy)
    assert verdicts(town, copy) == verdicts(town, other) == [True, True]
    assert str(found["From"]) == '"Bob via fabric.test" <bob@reflectors.fabric.test>'
    assert str(found["Reply-To"]) == "bob@fabric.test"
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert b"heliograph-" not in copy.lower().replace(b"x-heliograph", b"")
    assert len(copy.split(b"\r\nDKIM-Signature: ")) <= 3 and b"d=fabric.fabric.test" not in copy
    signed = list(found.get_all("DKIM-Signature"))
    assert all("list-unsubscribe:" in re.sub(r"\s", "", value) for value in signed)
    assert way_out(copy) != way_out(other) and path.partition("@")[0].partition(".")[2] in way_out(copy)[0]

    url, _ = way_out(copy)
    assert (await click(town, url, 1, None))[0] == 200  # a scanner looks
    assert (await click(town, url, 2, b"x=y"))[0] == 400  # and one that posts forms
    await town.still()
    await post(town, "second")
    assert len(posts(town, ZOE)) == 2
    count = len(town.abroad.mail)
    assert (await click(town, url, 1))[0] == (await click(town, url, 3))[0] == 200
    await town.still()
    await post(town, "third")
    assert len(posts(town, ZOE)) == 2 and len(posts(town, YVES)) == 3
    assert len(town.abroad.mail) == count + 1  # no answer to a click


BOB = ["bob@reflectors.fabric.test"]


async def post(town: Town, subject: str) -> None:
    await town.person("bob").send(BOB, subject)
    await town.still()


async def test_a_way_out_by_mail_is_taken_at_once_and_answered(town: Town) -> None:
    await follow(town, ZOE)
    await post(town, "first")
    _, mail = way_out(posts(town, ZOE)[0][1])
    town.abroad.mail.clear()
    smtp = town.config.ports.smtp
    assert (await from_outside(town.address(2), smtp, ZOE, [mail], letter(ZOE, mail, "off"))).startswith("250")
    await town.still()
    assert [str(read(c)["Subject"]) for _, _, c in town.abroad.mail] == ["You no longer follow bob"]
    await post(town, "second")
    assert len(town.abroad.mail) == 1


async def test_a_token_with_a_letter_changed_ends_nothing(town: Town) -> None:
    await follow(town, ZOE)
    await follow(town, ZOE, "alice")
    await post(town, "first")
    url, mail = way_out(posts(town, ZOE)[0][1])
    smtp = town.config.ports.smtp
    head, _, token = url.rpartition("/")
    for at in range(24):
        wrong = token[:at] + ("a" if token[at] != "a" else "b") + token[at + 1 :]
        assert (await click(town, f"{head}/{wrong}", at % 3 + 1))[0] == 404
        said = await from_outside(
            town.address(3), smtp, ZOE, [mail.replace(token, wrong)], letter(ZOE, "x@fabric.test", "off")
        )
        assert said.startswith("550")
    alices = head.replace("/bob/", "/alice/")
    assert (await click(town, f"{alices}/{token}", 1))[0] == 404  # of another list
    await post(town, "second")
    assert len(posts(town, ZOE)) == 2


async def test_a_persons_letter_is_signed_once_for_all(town: Town) -> None:
    await town.person("alice").send([ZOE, YVES], "to both")
    await town.still()
    ((sender, to, content),) = town.abroad.mail
    assert (sender, sorted(to)) == ("alice@fabric.test", sorted([ZOE, YVES]))
    assert verdicts(town, content) == [True, True]
    assert read(content)["List-Unsubscribe"] is None and str(read(content)["From"]) == "alice@fabric.test"
