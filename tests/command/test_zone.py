"""The zone's commands, on a fabric that runs in this process; and [dns] in the configuration."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from heliograph.configuration.config import ConfigError, load
from heliograph.configuration.dns import directory_settings
from heliograph.configuration.settings import FILE_NAME
from heliograph.demo.stage import free_net
from tests.command.processes import run
from tests.fabric.town import Town, make_fabric, until


async def test_a_dead_primary_is_replaced_and_finds_that_it_is_none(tmp_path: Path) -> None:
    with free_net() as net:
        config = make_fabric(tmp_path / "fabric", net, buckets=4096)
        town = Town(config, net)
        try:
            await town.start()
            serial = town.hosts["host-2"].directory.current.serial
            old = tmp_path / "old"  # the machine of the old primary, as it comes back from the dead
            shutil.copytree(config.root / "zones", old)
            await town.stop("host-1")
            config.zone_file.write_text("what the dead left is not needed")
            code, said = await run(config.root, "zone", "primary", "host-2", "--json")
            answer = json.loads(said)
            assert code == 0 and answer["serial"] == serial + 100 and answer["silent"] == ["host-1"], said
            assert answer["state"] == {"serial": serial + 100, "primary": True, "problems": [], "warnings": []}
            assert load(config.root).primary == "host-2"
            await until(lambda: town.hosts["host-3"].directory.current.serial == serial + 100, lambda: "host-3")
            # An edit at the new primary reaches the others.
            text = config.zone_file.read_text()
            assert f"b7.timeline.{config.domain}. 300 IN MX 10 host-1.{config.domain}." in text
            config.zone_file.write_text(
                text.replace(
                    f"b7.timeline.{config.domain}. 300 IN MX 10 host-1",
                    f"b7.timeline.{config.domain}. 300 IN MX 10 host-3",
                )
            )
            await until(lambda: town.hosts["host-3"].directory.current.owner("timeline", 7) == "host-3", lambda: "b7")
            assert town.hosts["host-3"].directory.current.serial == serial + 101
            # The old one starts by its old configuration and its old file, and follows.
            shutil.rmtree(config.root / "zones")
            shutil.copytree(old, config.root / "zones")
            await town.start("host-1")
            back = town.hosts["host-1"].directory
            await until(lambda: back.current.serial == serial + 101, lambda: "host-1")
            assert not back.is_primary and back.current.owner("timeline", 7) == "host-3"
        finally:
            await town.stop()


async def test_commands_of_the_zone(tmp_path: Path) -> None:
    with free_net() as net:
        config = make_fabric(tmp_path / "fabric", net, buckets=4096)
        root, town = config.root, Town(config, net)
        try:
            await town.start("host-1", "host-2")
            assert (await run(root, "zone", "lint")) == (0, f"{config.zone_file}: 0 errors, 0 warnings\n")
            code, said = await run(root, "zone", "show", "--json")
            shown = json.loads(said)
            assert (
                code == 0
                and shown["primary"] == "host-1"
                and [h["timeline"] for h in shown["hosts"]] == [1366, 1365, 1365]
            )
            assert [h["zone"] and h["zone"]["primary"] for h in shown["hosts"]] == [True, False, None]
            good = config.zone_file.read_text()
            config.zone_file.write_text(good.replace("b9.timeline MX 10 host-1", "b9.timeline MX 10 host-9"))
            line = good.splitlines().index("b9.timeline MX 10 host-1") + 1
            for command in ("lint", "reload"):
                code, said = await run(root, "zone", command)
                assert code == 78 and f"{config.zone_file}:{line}: the MX of b9.timeline is host-9" in said, said
            config.zone_file.write_text(good.replace("b9.timeline MX 10 host-1", "b9.timeline MX 10 host-2"))
            code, said = await run(root, "zone", "reload")
            assert code == 69 and "host-3     down" in said
            assert town.hosts["host-1"].directory.current.owner("timeline", 9) == "host-2"
            serial = town.hosts["host-1"].directory.current.serial
            config.zone_file.write_text(good.replace(f"{serial - 1} ", f"{serial - 2} "))
            code, said = await run(root, "zone", "lint")
            assert code == 78 and f"the serial goes back, from {serial - 1} to {serial - 2}" in said
        finally:
            await town.stop()


async def test_a_key_is_made_and_kept_from_others(tmp_path: Path) -> None:
    root = make_fabric(tmp_path / "fabric", "127.0.0.0/24", hosts=1).root
    code, said = await run(root, "zone", "key", "ops")
    assert code == 0 and said.startswith('key "ops" {\n\talgorithm hmac-sha256;\n\tsecret "')
    file = root / "tsig.keys"
    assert (await run(root, "zone", "key", "ops", "--add", str(file)))[0] == 0
    assert (await run(root, "zone", "key", "transfer", "--add", str(file)))[0] == 0
    assert file.stat().st_mode & 0o777 == 0o600
    code, said = await run(root, "zone", "key", "OPS", "--add", str(file))
    assert code == 73 and "has a key OPS already" in said
    assert (await run(root, "zone", "key", "a b"))[0] == 65
    text = (root / FILE_NAME).read_text()
    (root / FILE_NAME).write_text(
        text.replace('# keys = "tsig.keys" ', 'keys = "tsig.keys" ')
        .replace('# transfer_key = "transfer"', 'transfer_key = "transfer"')
        .replace('# update_keys = ["operator"]', 'update_keys = ["ops"]')
        .replace("# transfer_to =", "transfer_to =")
        .replace("# notify =", "notify =")
    )
    settings = directory_settings(load(root), "host-1", tmp_path / "copy")
    assert (
        settings.transfer_key == b"\x08transfer\0" and settings.update_keys == {b"\3ops\0"} and len(settings.keys) == 2
    )
    assert settings.transfer_to == ("192.0.2.53/32",) and settings.notify_to == (("192.0.2.53", 53),)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        directory_settings(load(root), "host-1", tmp_path / "copy")
    code, said = await run(root, "doctor")
    assert "others can read its secrets" in said


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('transfer_key = "x"', 'names a key: name the file it is in: keys = "tsig.keys"'),
        ('keys = "k"\ntransfer_key = "a b"', "is no name of a key"),
        ('primary = "ns.example.org"', 'write an address and a port, like "192.0.2.53:53"'),
        ('notify = ["192.0.2.53:0"]', "choose a port"),
        ("notify = [1]", "is no list of texts"),
        ('transfer_to = ["192.0.2.53/8"]', "host bits set"),
        ('update_key = "x"', "did you mean 'update_keys'?"),
    ],
)
def test_mistakes_in_dns_have_their_line(tmp_path: Path, line: str, words: str) -> None:
    config = make_fabric(tmp_path / "fabric", "127.0.0.0/24", hosts=1)
    file = config.root / FILE_NAME
    file.write_text(file.read_text().replace("[dns]\n", f"[dns]\n{line}\n"))
    with pytest.raises(ConfigError, match=r"heliograph.toml, line \d+: dns\.") as wrong:
        load(config.root)
    assert words in str(wrong.value)


def test_a_foreign_primary_makes_every_host_a_secondary(tmp_path: Path) -> None:
    config = make_fabric(tmp_path / "fabric", "127.0.0.0/24", hosts=2)
    file = config.root / FILE_NAME
    file.write_text(file.read_text().replace("[dns]\n", '[dns]\nprimary = "192.0.2.53:5353"\n'))
    for name in ("host-1", "host-2"):
        settings = directory_settings(load(config.root), name, tmp_path / "copy")
        assert settings.live is None and settings.primary_is_foreign
        assert (settings.primary_address, settings.primary_port) == ("192.0.2.53", 5353)
