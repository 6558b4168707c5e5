"""DMARC (RFC 9989): whether what is proven of a message speaks for the domain in its From.

Law: pure. "fail" is said only where all that could have been a pass was looked at, and was none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from heliograph.judging.results import Path, Seal
from mail.organization import organization

Policy = Mapping[str, str]  # the record's tags; {} where a domain has none


def read_policy(texts: Iterable[str]) -> Policy:
    """Find the policy among a name's TXT; {} where there is none, or more than one."""
    policies = [tags(text) for text in texts if text.startswith("v=DMARC1")]
    return policies[0] if len(policies) == 1 else {}


def places(domain: str) -> list[str]:
    """Return where a domain's policy may be: there, or at whose domain it is."""
    return [f"_dmarc.{place}" for place in dict.fromkeys((domain, organization(domain)))]


def dmarc(domain: str, policy: Policy | None, seals: Sequence[Seal], path: Path | None, all_seen: bool) -> str:
    """`policy`: None where it cannot be found out; `all_seen`: there are no seals but these."""
    if not policy:
        return "temperror" if policy is None else "none"
    found = [seal.result for seal in seals if is_aligned(domain, seal.domain, policy.get("adkim", "r") == "s")]
    if path and is_aligned(domain, path.domain, policy.get("aspf", "r") == "s"):
        found.append(path.result)
    if "pass" in found or "temperror" in found:
        return "pass" if "pass" in found else "temperror"
    # A seal over a part of the text ("policy") may do for others, and so may what was not looked at.
    return "fail" if path and all_seen and "policy" not in found else ""


def is_aligned(domain: str, other: str, strict: bool) -> bool:
    return domain == other or (not strict and bool(other) and organization(domain) == organization(other))


def tags(text: str) -> dict[str, str]:
    """Read ``a=b; c=d`` (RFC 6376 3.2)."""
    parts = (part.partition("=") for part in text[:4_000].split(";"))
    return {key.strip(): "".join(value.split()) for key, _, value in parts}
