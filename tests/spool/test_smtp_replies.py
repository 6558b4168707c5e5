"""Whatever an outcome says, the client reads one line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mail.outcome import Deferred, Delivered, Refused
from spool.replies import reply_of, with_status

surrogates = st.text(alphabet=st.characters(), max_size=700) | st.text(alphabet="\r\n\0\x1b\x85\udc80a ", max_size=20)


@given(surrogates, st.sampled_from([Delivered, Deferred, Refused]))
def test_a_reply_is_one_printable_line(text: str, kind: type[Refused]) -> None:
    reply = reply_of(kind(text))
    assert reply.endswith(b"\r\n") and len(reply) <= 512
    line = reply[:-2].decode()
    assert line[:3] in ("250", "451", "550") and not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in line)


def test_a_reply_of_another_host_is_passed_on_in_one_line() -> None:
    assert reply_of(Refused("5.1.1 no\r\n250 ok")) == b"550 5.1.1 no 250 ok\r\n"
    assert reply_of(Deferred("4.2.1 später", 450)) == "450 4.2.1 später\r\n".encode()


def test_replies_without_a_status_get_one() -> None:
    assert with_status("501 Too many values") == b"501 5.5.4 Too many values\r\n"
    assert with_status("538 5.7.11 Encryption required") == b"538 5.7.11 Encryption required\r\n"
    assert with_status("334 VXNlcm5hbWU6") == b"334 VXNlcm5hbWU6\r\n"
    assert with_status("599 odd") == b"599 5.0.0 odd\r\n"
