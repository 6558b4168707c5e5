"""Python's imaplib, and aioimaplib, at a real fabric: each lives a day in a mailbox of her own."""

from __future__ import annotations

import asyncio
import imaplib
import ssl
import time
from email.message import EmailMessage

import aioimaplib
import pytest

from heliograph.demo.people import Person
from heliograph.demo.stage import PASSWORD, Stage

pytestmark = [pytest.mark.peers, pytest.mark.timeout(120)]


def letter(subject: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "erin@fabric.test", "erin@fabric.test", subject
    message.set_content("The lamp is lit – and put out.")
    message.add_attachment(b"\0\xff" * 100, maintype="application", subtype="octet-stream", filename="größe.bin")
    message.set_boundary("cut")
    return message.as_bytes().replace(b"\n", b"\r\n")


def numbers(found: list[bytes]) -> list[bytes]:
    return found[0].split() if found and found[0] else []


def test_imaplib_from_login_to_logout(fabric: Stage) -> None:
    with Person(fabric, "erin", 2).mailbox() as client:  # erin lives on host-1: this host passes her on
        assert client.create('"Ideas/New ones"')[0] == "OK"
        listed = [line for line in client.list()[1] if isinstance(line, bytes)]
        assert b'(\\HasNoChildren) "/" "Ideas/New ones"' in listed
        assert any(b"\\Sent" in line for line in listed)
        for subject in ("First", "Second", "Third"):
            assert client.append(
                '"Ideas/New ones"', "(\\Seen)", imaplib.Time2Internaldate(time.time()), letter(subject)
            )
        assert client.select('"Ideas/New ones"') == ("OK", [b"3"])
        second = numbers(client.uid("SEARCH", "CHARSET", "UTF-8", "SUBJECT", "second")[1])
        assert len(second) == 1
        shown = client.uid("FETCH", second[0].decode(), "(FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[])")[1]
        assert isinstance(shown[0], tuple)
        assert shown[0][1] == letter("Second")
        assert client.store("1", "+FLAGS", "(\\Flagged urgent)")[0] == "OK"
        assert client.search(None, "KEYWORD urgent")[1] == [b"1"]
        assert client.sort("(REVERSE SUBJECT)", "UTF-8", "ALL")[1] == [b"3 2 1"]
        assert client.uid("MOVE", second[0].decode(), "Archive")[0] == "OK"
        assert client.store("2", "+FLAGS", "\\Deleted")[0] == "OK"
        assert client.expunge()[1] == [b"2", b"2"]  # it also tells what MOVE took away
        assert client.select("Archive")[0] == "OK"
        assert len(numbers(client.search(None, "SUBJECT", "Second")[1])) == 1
        assert client.rename('"Ideas/New ones"', '"Ideas/Old ones"')[0] == "OK"
        assert client.status('"Ideas/Old ones"', "(MESSAGES)")[1] == [b'"Ideas/Old ones" (MESSAGES 1)']
        assert client.delete('"Ideas/Old ones"')[0] == "OK"


def test_imaplib_with_starttls_and_a_wrong_password(fabric: Stage) -> None:
    config = fabric.config
    client = imaplib.IMAP4(config.hosts[0].address, config.ports.imap, timeout=10)
    assert client.starttls(ssl.create_default_context(cafile=str(config.tls.ca)))[0] == "OK"
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        client.login("erin", "wrong")
    assert client.authenticate("PLAIN", lambda _: b"\0erin\0" + PASSWORD.encode())[0] == "OK"
    assert client.enable("CONDSTORE")[0] == "OK"
    assert client.logout()[0] == "BYE"


async def test_aioimaplib_waits_in_idle_and_tidies_up(fabric: Stage) -> None:
    config = fabric.config
    context = ssl.create_default_context(cafile=str(config.tls.ca))
    client = aioimaplib.IMAP4_SSL(config.hosts[2].address, config.ports.imaps, ssl_context=context, timeout=20)
    await client.wait_hello_from_server()
    assert (await client.login("heidi", PASSWORD)).result == "OK"
    assert "Sent" in " ".join(line.decode() for line in (await client.list('""', "*")).lines)
    before = int((await client.select()).lines[1].split()[0])
    idle = await client.idle_start(timeout=30)
    sent = await asyncio.to_thread(Person(fabric, "bob").send, f"heidi@{config.domain}", "While she waits", "A flash.")
    assert sent[0] == 250
    assert f"{before + 1} EXISTS".encode() in await client.wait_server_push(timeout=20)
    client.idle_done()
    await asyncio.wait_for(idle, 10)
    uid = (await client.uid_search("SUBJECT", '"While she waits"')).lines[0].decode()
    fetched = await client.uid("fetch", uid, "(FLAGS BODY.PEEK[])")
    assert any(b"A flash." in line for line in fetched.lines)
    assert (await client.uid("store", uid, "+FLAGS", "(\\Seen \\Answered)")).result == "OK"
    assert (await client.append(letter("By aioimaplib"), "Drafts", "\\Draft")).result == "OK"
    assert (await client.uid("move", uid, "Trash")).result == "OK"
    assert (await client.select("Trash")).result == "OK"
    assert (await client.search("ANSWERED SEEN")).lines[0] == b"1"
    assert (await client.store("1", "+FLAGS", "\\Deleted")).result == "OK"
    assert (await client.expunge()).lines[0] == b"1 EXPUNGE"
    assert (await client.logout()).result == "OK"
