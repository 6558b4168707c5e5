"""Real mail clients at a real fabric: swaks, curl, mbsync, neomutt."""

from __future__ import annotations

import imaplib
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from heliograph.demo.people import Person
from heliograph.demo.stage import PASSWORD, Stage

pytestmark = [pytest.mark.peers, pytest.mark.timeout(180)]

MBSYNC = """
IMAPAccount fabric
Host {address}
Port {port}
User alice
Pass "{password}"
SSLType IMAPS
CertificateFile {ca}

IMAPStore far
Account fabric

MaildirStore near
Path {folder}/
Inbox {folder}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
"""

MUTTRC = """
set ssl_ca_certificates_file = "{ca}"
set ssl_starttls = yes
set imap_user = "alice"
set imap_pass = "{password}"
set spoolfile = "imaps://{address}:{port}/INBOX"
set folder = "imaps://{address}:{port}/"
set header_cache = ""
set certificate_file = "{folder}/certificates"
set mbox_type = Maildir
set record = ""
set quit = yes
set pager_stop = yes
"""


def needs(tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed: scripts/peers installs it")


def run(*arguments: str, typed: str = "", env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, input=typed, capture_output=True, text=True, timeout=60, env=env)


def swaks(fabric: Stage, name: str, to: str, *more: str, host: int = 1) -> subprocess.CompletedProcess[str]:
    config = fabric.config
    return run(
        *("swaks", "--server", f"{config.hosts[host - 1].address}:{config.ports.submission}", "--tls"),
        *("--auth", "PLAIN", "--auth-user", name, "--auth-password", PASSWORD),
        *("--from", f"{name}@{config.domain}", "--to", to, *more),
    )


def until(wanted: Callable[[], object], seconds: float = 15.0) -> bool:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if wanted():
            return True
        time.sleep(0.1)
    return False


def test_swaks_follows_and_posts(fabric: Stage) -> None:
    needs("swaks")
    domain = fabric.config.domain
    followed = swaks(fabric, "heidi", f"bob+subscribe@reflectors.{domain}", host=3)
    assert followed.returncode == 0, followed.stdout + followed.stderr
    heidi = Person(fabric, "heidi", 1)
    assert heidi.wait_for(lambda letter: "bob" in letter.subject + letter.text)
    posted = swaks(fabric, "bob", f"bob@reflectors.{domain}", "--header", "Subject: By swaks", "--body", "Hello all")
    assert posted.returncode == 0, posted.stdout + posted.stderr
    found = heidi.wait_for_subject("By swaks")
    assert found is not None
    assert "bob" in found.list_id


def test_swaks_is_refused_where_it_should_be(fabric: Stage) -> None:
    needs("swaks")
    domain = fabric.config.domain
    unknown = swaks(fabric, "alice", f"nobody@{domain}", host=2)
    assert unknown.returncode == 24, unknown.stdout  # swaks(1): no recipient was accepted
    assert "550 5.1.1" in unknown.stdout
    forged = swaks(fabric, "alice", f"bob@{domain}", "--header", f"From: bob@{domain}", "--h-From", f"bob@{domain}")
    assert forged.returncode == 26, forged.stdout  # the message was refused after DATA
    config = fabric.config
    relayed = run(
        *("swaks", "--server", f"{config.hosts[0].address}:{config.ports.smtp}"),
        *("--from", "zoe@elsewhere.example", "--to", "max@elsewhere.example"),
    )
    assert relayed.returncode == 24, relayed.stdout
    address = config.hosts[0].address
    wrong = run(
        *("swaks", "--server", f"{address}:{config.ports.submissions}", "--tls-on-connect", "--auth", "LOGIN"),
        *("--auth-user", "alice", "--auth-password", "wrong", "--from", f"alice@{domain}", "--to", f"bob@{domain}"),
    )
    assert wrong.returncode == 28, wrong.stdout  # authentication failed


def test_swaks_delivers_over_lmtp(fabric: Stage) -> None:
    needs("swaks")
    config = fabric.config
    server = f"{config.hosts[0].address}:{config.ports.lmtp}"
    sender, to = "zoe@elsewhere.example", f"erin@{config.domain}"
    given = run(
        "swaks", "--protocol", "LMTP", "--server", server, "--from", sender, "--to", to, "--h-Subject", "By lmtp"
    )
    assert given.returncode == 0, given.stdout + given.stderr
    assert Person(fabric, "erin", 2).wait_for_subject("By lmtp")


def test_curl_lists_fetches_and_appends(fabric: Stage, tmp_path: Path) -> None:
    needs("curl")
    config = fabric.config
    bob = Person(fabric, "bob")
    bob.send(f"erin@{config.domain}", "For curl", "The lamp is lit.")
    assert Person(fabric, "erin").wait_for_subject("For curl")
    base = ("curl", "--silent", "--show-error", "--cacert", str(config.tls.ca), "--user", f"erin:{PASSWORD}")
    for number in (1, 2, 3):  # any host takes the login
        url = f"imaps://{config.hosts[number - 1].address}:{config.ports.imaps}"
        listed = run(*base, url)
        assert listed.returncode == 0, listed.stderr
        assert "INBOX" in listed.stdout
        assert "\\Sent" in listed.stdout
        found = run(*base, f"{url}/INBOX?SUBJECT%20%22For%20curl%22")
        uid = found.stdout.replace("* SEARCH", "").split()
        assert len(uid) == 1, found.stdout + found.stderr
        text = run(*base, f"{url}/INBOX;MAILINDEX={uid[0]}")
        assert "The lamp is lit." in text.stdout
    (tmp_path / "draft").write_bytes(b"From: erin@fabric.test\r\nSubject: A draft\r\n\r\nNot yet.\r\n")
    kept = run(*base, "--upload-file", str(tmp_path / "draft"), f"{url}/Drafts")
    assert kept.returncode == 0, kept.stderr
    assert [letter.subject for letter in Person(fabric, "erin").letters("Drafts")] == ["A draft"]


def test_mbsync_keeps_a_timeline_in_step_both_ways(fabric: Stage, tmp_path: Path) -> None:
    needs("mbsync")
    config, alice, bob = fabric.config, Person(fabric, "alice", 1), Person(fabric, "bob", 2)
    alice.send(f"bob+subscribe@reflectors.{config.domain}", "")
    assert alice.wait_for(lambda letter: "bob" in letter.subject + letter.text)
    for subject in ("Read here", "Deleted here", "Flagged there", "Deleted there", "Untouched"):
        assert bob.send(f"bob@reflectors.{config.domain}", subject)[0] == 250
    assert alice.wait_for_subject("Untouched")
    folder = tmp_path / "mail"
    folder.mkdir()
    text = MBSYNC.format(
        address=config.hosts[0].address,
        port=config.ports.imaps,
        password=PASSWORD,
        ca=config.tls.of("host-1").certificate,  # mbsync looks for no address in a certificate, but can pin one
        folder=folder,
    )
    (tmp_path / "mbsyncrc").write_text(text)

    def sync() -> None:
        done = run("mbsync", "-c", str(tmp_path / "mbsyncrc"), "all")
        assert done.returncode == 0, done.stdout + done.stderr

    def near(subject: str) -> Path | None:
        paths = [*(folder / "INBOX" / "cur").iterdir(), *(folder / "INBOX" / "new").iterdir()]
        return next((path for path in paths if f"Subject: {subject}".encode() in path.read_bytes()), None)

    def flag(subject: str, letters: str) -> None:
        path = near(subject)
        assert path is not None
        path.rename(folder / "INBOX" / "cur" / f"{path.name.partition(':2,')[0]}:2,{letters}")

    sync()
    assert near("Untouched")
    flag("Read here", "S")
    flag("Deleted here", "ST")
    with alice.mailbox() as client:
        assert client.uid("STORE", uid_of(client, "Flagged there"), "+FLAGS", "(\\Flagged)")[0] == "OK"
        assert client.uid("STORE", uid_of(client, "Deleted there"), "+FLAGS", "(\\Deleted)")[0] == "OK"
        client.expunge()
    sync()
    flagged = near("Flagged there")
    assert flagged is not None
    assert "F" in flagged.name.partition(":2,")[2]
    assert near("Deleted there") is None
    assert near("Deleted here") is None
    with alice.mailbox() as client:
        assert uid_of(client, "Deleted here") == ""
        assert b"\\Seen" in client.uid("FETCH", uid_of(client, "Read here"), "(FLAGS)")[1][0]
        assert b"\\Seen" not in client.uid("FETCH", uid_of(client, "Untouched"), "(FLAGS)")[1][0]
    (folder / "Drafts" / "cur" / "1.new:2,D").write_bytes(b"From: alice@fabric.test\nSubject: From near\n\nText\n")
    sync()
    assert [letter.subject for letter in alice.letters("Drafts")] == ["From near"]
    before = alice.letters()
    sync()
    assert alice.letters() == before


def uid_of(client: imaplib.IMAP4_SSL, subject: str) -> str:
    _, found = client.uid("SEARCH", "SUBJECT", f'"{subject}"')
    uids: list[str] = (found[0] or b"").decode().split()
    return uids[0] if uids else ""


def test_neomutt_reads_a_post(fabric: Stage, tmp_path: Path) -> None:
    needs("neomutt")
    needs("tmux")
    config = fabric.config
    Person(fabric, "bob").send(f"alice@{config.domain}", "For neomutt", "Three short flashes.")
    assert Person(fabric, "alice").wait_for_subject("For neomutt")
    text = MUTTRC.format(
        ca=config.tls.ca,
        password=PASSWORD,
        address=config.hosts[1].address,
        port=config.ports.imaps,
        folder=tmp_path,
    )
    (tmp_path / "muttrc").write_text(text)
    socket = str(tmp_path / "tmux")

    def tmux(*arguments: str) -> str:
        return run("tmux", "-S", socket, *arguments).stdout

    def screen() -> str:
        return tmux("capture-pane", "-p", "-t", "mutt")

    command = f"env TERM=screen HOME={tmp_path} LANG=C.UTF-8 neomutt -n -F {tmp_path}/muttrc"
    tmux("new-session", "-d", "-s", "mutt", "-x", "110", "-y", "40", command)
    try:
        assert until(lambda: "For neomutt" in screen()), screen()
        tmux("send-keys", "-t", "mutt", "/", "For neomutt", "Enter")
        time.sleep(0.3)
        tmux("send-keys", "-t", "mutt", "Enter")
        assert until(lambda: "Three short flashes." in screen()), screen()
        tmux("send-keys", "-t", "mutt", "q", "q")
        assert until(lambda: run("tmux", "-S", socket, "has-session", "-t", "mutt").returncode != 0)
    finally:
        tmux("kill-server")
    with Person(fabric, "alice").mailbox() as client:
        assert b"\\Seen" in client.uid("FETCH", uid_of(client, "For neomutt"), "(FLAGS)")[1][0]
