"""Programs that post, over HTTPS and over submission, through whichever host: once, and nowhere else."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import time
from collections.abc import Mapping
from types import SimpleNamespace

import aiohttp
import aiosmtplib
import pytest
import pytest_asyncio

from gateway.posts import POST_OCTETS_MAX
from heliograph.acts import operations
from heliograph.door import applications
from heliograph.door.applications import AWAY, BURST_POSTS, NO, Judged
from ingest.applications import fingerprint, new_token
from tests.fabric.town import DOMAIN, Town, letter, say

SOURCE = f"builds@reflectors.{DOMAIN}"
POST = {"subject": "Build 7", "text": "All green."}


class Robot:
    """A program with a token."""

    def __init__(self, town: Town, token: str) -> None:
        self.town, self.token = town, token

    async def post(
        self, body: object, at: int = 1, to: str = "builds", kind: str = "application/json", **headers: str
    ) -> tuple[int, dict[str, object], Mapping[str, str]]:
        """POST over HTTPS to the host with this number."""
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        said = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"https://{self.town.address(at)}:{self.town.config.ports.https}/v1/sources/{to}/posts"
        context = ssl.create_default_context(cafile=str(self.town.config.tls.ca))
        async with aiohttp.ClientSession() as client, client.post(url, data=octets, headers=said, ssl=context) as got:
            answer = json.loads(await got.read())
            if got.status >= 400:
                assert got.content_type == "application/problem+json" and answer["status"] == got.status
            return got.status, answer, got.headers

    async def submit(self, content: bytes, to: str, at: int = 1, sender: str = SOURCE) -> str:
        """Send as mail."""
        config = self.town.config
        context = ssl.create_default_context(cafile=str(config.tls.ca))
        client = aiosmtplib.SMTP(
            hostname=self.town.address(at), port=config.ports.submissions, use_tls=True, tls_context=context
        )
        return await say(client, sender, [to], content, ("builds", self.token))


async def ask(town: Town, operation: str, **arguments: object) -> operations.Answer:
    """Do as the operator's command, at the host of the source."""
    directory = town.hosts["host-1"].directory.current
    host = town.hosts[directory.owner("reflectors", directory.names.bucket("builds"))]
    work = operations.WRITES[operation]
    return await host.store.write(lambda tx: work(tx, host._site(), time.time(), name="builds", **arguments))


async def new(town: Town, operation: str, **arguments: object) -> Robot:
    token = new_token(os.urandom)
    await ask(town, operation, token=fingerprint(token).hex(), **arguments)
    return Robot(town, token)


@pytest_asyncio.fixture
async def robot(town: Town) -> Robot:
    """builds, which alice answers for and heidi follows."""
    made = await new(town, "app add", owner="alice", title="Builds")
    await town.still()
    await town.person("heidi").send(f"builds+subscribe@reflectors.{DOMAIN}", "subscribe")
    await town.still()
    return made


async def test_a_post_is_durable_when_it_is_answered_and_comes_once_however_often_it_is_sent(robot: Robot) -> None:
    town, heidi = robot.town, robot.town.person("heidi", 2)
    for at in (1, 2, 3, 1):  # a client that hears no answer tries again, at another host perhaps
        status, answer, _ = await robot.post(POST, at=at, Idempotency_Key="build-7")
        assert (status, answer["source"]) == (201, SOURCE)
    await asyncio.sleep(1.1)  # now our Date is another, and with it the octets of the message
    assert (await robot.post(POST, at=2, Idempotency_Key="build-7"))[0] == 201
    status, _, _ = await robot.post({**POST, "text": "All red."}, at=2, Idempotency_Key="build-7")
    assert status == 422
    mail = b"Subject: Build 8\n\nAs mail.\n"
    assert (await robot.post(mail, at=3, kind="message/rfc822"))[0] == 201
    html = {"subject": "Grün", "text": "words", "html": "<p>words</p>", "link": "https://ci.test/9"}
    assert (await robot.post(html, at=2))[0] == 201
    content = letter(SOURCE, SOURCE, "Build 10")
    for at in (1, 2):
        assert (await robot.submit(content, SOURCE, at=at)).startswith("250")
    await town.still()
    posts = {str(found["Subject"]): found for found in await heidi.letters() if found["Heliograph-Post"]}
    assert set(posts) == {"Build 7", "Build 8", "Grün", "Build 10"} and len(await heidi.posts()) == 4
    assert posts["Build 7"]["From"] == posts["Build 8"]["From"] == f"Builds <{SOURCE}>"
    assert posts["Build 7"]["Message-ID"] == answer["id"] and posts["Grün"]["Archived-At"] == "<https://ci.test/9>"
    assert posts["Grün"].get_body(("html",)).get_content() == "<p>words</p>\r\n"  # type: ignore[union-attr]
    assert all("alice" not in found.as_string() for found in posts.values())


async def test_a_token_opens_its_own_source_and_nothing_else(robot: Robot) -> None:
    town, letter_ = robot.town, letter(SOURCE, SOURCE, "Hello")
    flipped = robot.token[:-1] + ("a" if robot.token[-1] != "a" else "b")
    for token in ("", flipped, robot.token.upper(), robot.token + "a", new_token(os.urandom)):
        for at in (1, 2):
            status, _, headers = await Robot(town, token).post(POST, at=at)
            assert status == 401 and headers["WWW-Authenticate"].startswith("Bearer")
    assert (await robot.post(POST, to="bob"))[0] == 401  # somebody else's source, and
    assert (await robot.post(POST, to="nobody"))[0] == 401  # none, look the same
    assert (await Robot(town, flipped).submit(letter_, SOURCE)).startswith("535")
    assert (await robot.submit(letter_, f"alice@{DOMAIN}")).startswith("550")
    assert (await robot.submit(letter_, "someone@elsewhere.example")).startswith("550")
    assert (await robot.submit(letter_, f"builds+subscribe@reflectors.{DOMAIN}")).startswith("550")
    assert (await robot.submit(letter_, SOURCE, sender=f"alice@{DOMAIN}")).startswith("553")
    as_alice = letter(f"alice@{DOMAIN}", SOURCE, "Hello")
    assert (await robot.submit(as_alice, SOURCE)).startswith("550")
    assert (await robot.post(as_alice, kind="message/rfc822"))[0] == 422
    assert (await robot.post(b"Subject: subscribe\n\n\n", kind="message/rfc822"))[0] == 422  # it would be alice's word
    fresh = await new(town, "app rotate")
    assert [(await each.post(POST, at=2))[0] for each in (robot, fresh)] == [401, 201]
    await ask(town, "app revoke")
    assert [(await fresh.post(POST, at=at))[0] for at in (1, 2, 3)] == [401, 401, 401]
    await town.still()
    assert len(await town.person("heidi").posts()) == 1


async def test_a_key_may_be_a_dash_wherever_the_post_comes_in(robot: Robot) -> None:
    assert (await robot.post(POST, Idempotency_Key="-"))[0] == 201
    for at in (1, 2, 3):
        assert (await robot.post({**POST, "text": "All red."}, at=at, Idempotency_Key="-"))[0] == 422


async def test_who_guesses_at_a_token_does_not_begin_anew_where_its_host_is_away(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = town.hosts["host-1"].clients.applications
    said: list[Judged] = [NO] * 12 + [AWAY] * 3
    waits: list[float] = []

    async def judged(*_: object) -> Judged:
        return said.pop(0)

    async def rest(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(checks, "_judged", judged)
    monkeypatch.setattr(applications, "asyncio", SimpleNamespace(sleep=rest))
    while said:
        await checks.check("builds", "a token", f"192.0.2.{len(said)}")  # from as many places
    assert waits[11] > 0 and min(waits[12:]) >= waits[11]


async def test_what_is_no_post_is_said_in_problem_details(robot: Robot) -> None:
    wrong = {
        400: (b"{", b"[" * 100_000),
        422: (b"[]", {}, {"subject": "x"}, {**POST, "to": "x"}, {**POST, "text": 7}, {**POST, "subject": "x" * 400}),
    }
    for status, bodies in wrong.items():
        for body in bodies:
            assert (await robot.post(body))[0] == status, body
    assert (await robot.post({**POST, "link": "javascript:alert(1)"}))[0] == 422
    assert (await robot.post({**POST, "text": "\ud800"}))[0] == 422
    assert (await robot.post({**POST, "subject": "a\r\nBcc: eve@x.test"}))[0] == 201  # one line, and no field
    assert (await robot.post(POST, Idempotency_Key="x" * 65))[0] == 400
    assert (await robot.post(POST, Idempotency_Key=""))[0] == 400  # a variable that is not set is no key
    assert (await robot.post(POST, kind="text/plain"))[0] == 415
    assert (await robot.post(b"Subject: x\n\n" + b"y" * 1_000, kind="message/rfc822"))[0] == 422
    answers = await asyncio.gather(*(robot.post(POST, at=3) for _ in range(BURST_POSTS + 10)))
    statuses = [status for status, _, _ in answers]
    assert statuses.count(201) >= BURST_POSTS and 429 in statuses and set(statuses) == {201, 429}


async def test_a_post_that_is_too_large_is_refused_before_it_is_read(robot: Robot) -> None:
    for body in (b"x" * (POST_OCTETS_MAX + 1), b"y" * (20 << 20)):
        assert (await robot.post(body))[0] == 413
