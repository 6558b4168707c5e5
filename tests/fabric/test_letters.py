"""Letters from one to many: once to each, in few transactions, and a word to the sender when it cannot be."""

from __future__ import annotations

import ssl

import aiosmtplib

from store import events
from tests.fabric.town import OUTSIDE, PASSWORD, Town, from_outside, letter

ZOE = f"zoe@{OUTSIDE}"


async def test_a_letter_that_is_said_again_and_again_is_filed_once(town: Town) -> None:
    content = letter("alice@fabric.test", "heidi@fabric.test", "said again")
    for number in (1, 2, 3, 2):  # the client lost the 250 and turned to other hosts
        assert (await town.person("alice", number).submit(content, ["heidi@fabric.test"])).startswith("250")
    strange = letter(ZOE, "heidi@fabric.test", "from outside")
    for number in (1, 2, 3, 2):
        said = await from_outside(town.address(number), town.config.ports.smtp, ZOE, ["heidi@fabric.test"] * 2, strange)
        assert said.startswith("250")
    await town.still()
    assert sorted(await town.person("heidi").subjects()) == ["from outside", "said again"]
    other = letter("alice@fabric.test", "heidi@fabric.test", "said again")  # the same words, another letter
    await town.person("alice").submit(other, ["heidi@fabric.test"])
    await town.still()
    assert (await town.person("heidi").subjects()).count("said again") == 2


async def test_a_client_s_own_word_for_its_mail_is_in_the_notice_and_makes_no_other_mail_of_it(town: Town) -> None:
    alice, nobody = town.person("alice", 1), f"nobody@{OUTSIDE}"
    content = letter("alice@fabric.test", "heidi@fabric.test", "named")
    tls = ssl.create_default_context(cafile=str(town.config.tls.ca))
    for name in ("QQ+20314", "QQ+20315"):
        port = town.config.ports.submissions
        client = aiosmtplib.SMTP(hostname=alice.host, port=port, use_tls=True, tls_context=tls)
        async with client:
            await client.login("alice", PASSWORD)
            await client.mail("alice@fabric.test", options=[f"ENVID={name}"])
            for recipient in ("heidi@fabric.test", nobody):
                await client.rcpt(recipient)
            await client.data(content)
    await town.still()
    assert await town.person("heidi").subjects() == ["named"]
    notices = await alice.letters()
    assert sorted(n.get_payload()[1].get_payload()[0]["Original-Envelope-Id"] for n in notices) == ["QQ 314", "QQ 315"]


async def test_the_trace_tells_readers_nothing_of_where_the_author_sat(town: Town) -> None:
    await town.person("alice", 2).send("heidi@fabric.test", "from home")
    await town.still()
    (found,) = await town.person("heidi").letters()
    (trace,) = found.get_all("Received")  # heidi lives where alice submitted it
    assert " ".join(trace.split()).startswith("by host-2.fabric.test with ESMTPSA id ")


async def test_fifty_recipients_on_three_hosts_get_it_once_each_in_one_transaction_a_host(town: Town) -> None:
    names = [f"guest-{number}" for number in range(50)]
    await town.add(*names)
    homes = {name: town.home(name) for name in names}
    assert set(homes.values()) == {"host-1", "host-2", "host-3"}
    before = {name: last_event(town, name) for name in town.hosts}
    assert (await town.person("alice", 1).send([f"{name}@fabric.test" for name in names], "to all")).startswith("250")
    await town.still()
    for name, home in homes.items():
        reader = town.hosts[home].store.reader
        sql = "SELECT count(*) FROM entry e JOIN account a ON a.id = e.account WHERE a.name = ?"
        assert reader.one(sql, (name,)) == (1,), name
    for name in ("host-2", "host-3"):
        taken = [
            detail["recipients"]
            for _, _, kind, detail in events.since(town.hosts[name].store.reader, before[name])
            if kind == "accepted"
        ]
        assert taken == [sum(home == name for home in homes.values())]
    assert await town.person(names[0], 2).subjects() == ["to all"]


def last_event(town: Town, host: str) -> int:
    row = town.hosts[host].store.reader.one("SELECT coalesce(max(seq), 0) FROM event")
    assert row is not None
    return int(row[0])


async def test_the_sender_hears_whom_a_foreign_server_refused(town: Town) -> None:
    alice = town.person("alice", 2)
    assert (await alice.send([ZOE, f"nobody@{OUTSIDE}", "heidi@fabric.test"], "to three")).startswith("250")
    await town.still()
    assert [recipients for _, recipients, _ in town.abroad.mail] == [[ZOE]]
    assert b"heliograph-" not in town.abroad.mail[0][2].lower()
    assert await town.person("heidi").subjects() == ["to three"]
    (notice,) = await alice.letters()
    assert notice.get_content_type() == "multipart/report" and notice["Auto-Submitted"]
    status = next(part for part in notice.walk() if part.get_content_type() == "message/delivery-status")
    told = status.as_string()
    assert f"nobody@{OUTSIDE}" in told and "5.1.1 nobody of that name" in told and "failed" in told
    assert ZOE not in told and "heidi" not in told
    assert "Subject: to three" in notice.as_string()  # what she sent comes back with it
