"""What is installed is ours: a rival top-level `directory/` or `mail/` would merge silently."""

from __future__ import annotations

import configparser
import importlib
from importlib.metadata import packages_distributions
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PACKAGES = ("heliograph", "mail", "store", "spool", "directory", "reflector", "mailbox_host", "ingest", "gateway")


def test_every_package_comes_from_this_distribution_alone() -> None:
    # an editable installation lists no files: then our packages belong to no distribution, and to no other
    rivals = {name: set(packages_distributions().get(name, [])) - {"heliograph"} for name in PACKAGES}
    assert {name: found for name, found in rivals.items() if found} == {}


def test_every_package_is_imported_from_here_and_named_in_the_setup() -> None:
    setup = configparser.ConfigParser()
    setup.read(PROJECT / "setup.cfg")
    include = setup["options.packages.find"]["include"].split()
    assert {pattern.rstrip("*") for pattern in include} == set(PACKAGES)
    for name in PACKAGES:
        module = importlib.import_module(name)
        assert module.__file__ is not None
        assert Path(module.__file__).parent == PROJECT / name
        assert (PROJECT / name / "py.typed").exists()
