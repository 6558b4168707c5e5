"""`doctor` on servers beside the fabric."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from pathlib import Path

from heliograph.checkup.beside import beside
from heliograph.configuration.config import Config, load
from heliograph.demo.stage import free_net
from tests.fabric.town import make_fabric


def greet_once(listening: socket.socket, words: bytes) -> None:
    def work() -> None:
        wire, _ = listening.accept()
        wire.sendall(words)
        wire.close()

    threading.Thread(target=work, daemon=True).start()


def config(folder: Path, shelf: str = "", smarthost: str = "") -> Config:
    with free_net() as net:
        make_fabric(folder / "fabric", net, hosts=1)
    read = load(folder / "fabric")
    return replace(read, shelf=shelf, smtp=replace(read.smtp, smarthost=smarthost))


def test_who_answers_and_who_does_not(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as lmtp, socket.socket() as smtp:
        lmtp.bind(str(tmp_path / "lmtp"))
        smtp.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{smtp.getsockname()[1]}"
        read = config(tmp_path, str(tmp_path / "lmtp"), place)
        assert [(f.grade, "does not answer" in f.text) for f in beside(read)] == [("fault", True)] * 2
        for listening, words in ((lmtp, b"220 box LMTP\r\n"), (smtp, b"554 go away\r\n")):
            listening.listen()
            greet_once(listening, words)
        first, second = beside(read)
        assert first.grade == "good" and second.grade == "fault" and "554 go away" in second.text
        assert "smarthost" in second.text
    assert list(beside(replace(read, shelf="", smtp=replace(read.smtp, smarthost="")))) == []
