"""Ten thousand forged senders, ten thousand requests in one victim's name: what the world gets because of them.

Law: it counts mails, not seconds. Everything goes over sockets, pipelined, as a botnet would.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from heliograph.configuration.config import load
from heliograph.demo.stage import free_net
from tests.fabric.town import DOMAIN, OUTSIDE, Town, letter, make_fabric

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]

FLOOD = 10_000
OF_A_CONNECTION = 200
LIST = f"bob@reflectors.{DOMAIN}"


async def flood(address: str, port: int, transactions: list[list[bytes]]) -> list[bytes]:
    """Say MAIL, RCPT, DATA and the message of many transactions; return the last answer of each. Who is sent away
    (421) comes again with the next."""
    answers: list[bytes] = []
    while len(answers) < len(transactions):
        reader, writer = await asyncio.open_connection(address, port)
        await reader.readline()
        writer.write(b"HELO bot\r\n")
        await reader.readline()
        for transaction in transactions[len(answers) :][:OF_A_CONNECTION]:
            line = b""
            for words in transaction:
                writer.write(words)
                line = await reader.readline()
                if line[:1] in (b"4", b"5", b""):
                    break
            if not line or line.startswith(b"421"):
                break
            answers.append(line)
            writer.write(b"RSET\r\n")
            if not await reader.readline():
                break
        writer.close()
    return answers


def transaction(sender: str, to: str, subject: str) -> list[bytes]:
    message = letter(sender, to, subject) + b".\r\n"
    return [f"MAIL FROM:<{sender}>\r\n".encode(), f"RCPT TO:<{to}>\r\n".encode(), b"DATA\r\n", message]


async def test_forged_senders_get_nothing_and_a_victim_one_question(tmp_path: Path) -> None:
    with free_net() as net:
        make_fabric(tmp_path / "fabric", net, hosts=1, outside=net.replace(".0/24", ".50"))
        async with Town(load(tmp_path / "fabric"), net).at_work() as town:
            port = town.config.ports.smtp
            unknown = [transaction(f"v{n}@{OUTSIDE}", f"nobody{n}@{DOMAIN}", "x") for n in range(FLOOD)]
            forged = [transaction(f"v{n}@{OUTSIDE}", LIST, "spam") for n in range(FLOOD)]
            for answer in await flood(town.address(1), port, unknown + forged):
                assert answer.startswith(b"5"), answer
            await town.still()
            assert town.abroad.mail == []
            victim = f"victim@{OUTSIDE}"
            bombs = [transaction(victim, f"bob+subscribe@reflectors.{DOMAIN}", f"s{n}") for n in range(FLOOD)]
            answers = await flood(town.address(1), port, bombs)
            assert all(answer.startswith(b"250") for answer in answers)
            await town.still()
            assert [to for _, to, _ in town.abroad.mail] == [[victim]]
