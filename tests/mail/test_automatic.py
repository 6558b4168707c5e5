"""Machines are not answered."""

from __future__ import annotations

import pytest

from mail.automatic import why_automatic
from mail.envelope import Arrival


@pytest.mark.parametrize(
    ("sender", "head", "why"),
    [
        ("a@b.example", "From: a@b.example", ""),
        ("a@b.example", "From: a@b.example\r\nAuto-Submitted: no", ""),
        ("", "From: a@b.example", "null sender"),
        ("a@b.example", "From: a@b.example\r\nAuto-Submitted: auto-replied; x=y", "Auto-Submitted"),
        ("a@b.example", "From: a@b.example\r\nPrecedence: Bulk", "Precedence"),
        ("a@b.example", "From: a@b.example\r\nList-Id: <x.b.example>", "List-Id"),
        ("MAILER-DAEMON@b.example", "From: a@b.example", "a program's address"),
        ("a@b.example", "From: No Reply <no-reply@b.example>", "a program's address"),
        ("list-bounces+alice=d@b.example", "From: a@b.example", "a program's address"),
        ("no-where", "From: <", ""),
    ],
)
def test_what_shows_a_machine(sender: str, head: str, why: str) -> None:
    assert why_automatic(Arrival(sender, f"{head}\r\n\r\n".encode(), 0)) == why
