"""The words by which hosts say why a mail came back: to people, in many tongues of machines.

Law: words only. What speaks of us (our address, our reputation, our signatures) is policy, whatever the code beside it;
what speaks of the mailbox says whether it is gone or full.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.message import Message

TEXT_CHARACTERS_MAX = 16_000

POLICY = re.compile(
    r"\bspam|\bspf\b|\bdkim\b|dmarc|polic(?:y|ies)|reputation|blo(?:c|ck)k?ed|block ?list|black ?list|\bbanned|blocking"
    r"|access denied|relay(?:ing)? (?:access )?(?:denied|not)|not allowed|not permitted|unauthenticated|authentication"
    r"|mismatch|sender (?:address|domain|rejected|verify|denied)|client host|\bvirus|malware|phish|too many"
    r"|rate (?:limit|that)|throttl|\bptr\b|reverse (?:dns|lookup)|rdns|complaints?\b|protocol violation"
    r"|not verified|grey.?list|unsolicited|multiple addresses in from|unexpected volume|service refus|untrusted"
    r"|permission to post|don.t have permission|may not have permission|not accept(?:ed)? from|does not resolve"
    r"|cannot find your|invalid ip|security|prohibited|rejected by (?:the )?(?:administrator|owner)|bulk mail|abuse",
    re.IGNORECASE,
)
FULL = re.compile(
    r"(?:mail ?box|quota|account|inbox)[^.\n]{0,40}(?:full|exceed|over)|over ?quota|(?:exceed|over)[^.\n]{0,30}quota"
    r"|insufficient (?:system )?storage|not enough (?:storage|space)|disk (?:full|quota)"
    r"|storage limit|too (?:large|big)|size limit|exceeds",
    re.IGNORECASE,
)
DEAD = re.compile(
    r"(?:user|recipient|address|mail ?box|account|addressee|alias)[^.\n]{0,40}"
    r"(?:unknown|not (?:be )?found|not exist|does(?:n.t| not) exist|invalid|inactive)"
    r"|(?:user|recipient|address|mail ?box|account)[^.\n]{0,40}(?:unavailable|disabled|not listed|no longer)"
    r"|(?:unknown|no such|invalid|nonexistent|non-existent|bad destination) "
    r"(?:local )?(?:user|recipient|address|mail ?box|account|addressee|person)"
    r"|no mail ?box here|not listed in|does not exist|doesn.t exist|e-mail account does not|unrouteable address"
    r"|nxdomain|code noerror|(?:host|domain)[^.\n]{0,30}(?:not found|unknown)"
    r"|(?:unknown|no such|couldn.t find any) (?:host|domain)",
    re.IGNORECASE,
)
DELAYED = re.compile(
    r"(?:is|was|been) delayed|temporary failure report|(?:keep|continue|still|be) (?:to )?(?:try|retr)[^.\n]{0,9}ing"
    r"|will be retried|(?:not|n.t) need to re-?send|warning: (?:could not|message)",
    re.IGNORECASE,
)
# Where the returned mail begins in a text: what stands behind it was written by its author, not about it.
_ORIGINAL = re.compile(
    r"(?im)^[-=> ]*(?:below this line is|this is a copy of|(?:original|returned|unsent) message|message headers? follow"
    r"|return-path:|received:|message-id:|mime-version:|x-[a-z-]+:|---- ?message|the (?:header|text|body) of)"
)


def plain_text(parts: Sequence[Message]) -> str:
    """The first part for people, decoded."""
    for part in parts:
        if part.get_content_maintype() == "text":
            payload = part.get_payload(decode=True)
            text = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
            if part.get_content_subtype() == "html":
                text = re.sub(r"<(?![^<>@\s]+@)[^<>]{0,500}>", " ", text[:TEXT_CHARACTERS_MAX])
            if text.strip():
                return text[:TEXT_CHARACTERS_MAX]
    whole = parts[0].get_payload() if parts else ""  # a multipart whose boundary is not to be found
    return whole[:TEXT_CHARACTERS_MAX] if isinstance(whole, str) else ""


def words_before_original(text: str) -> str:
    match = _ORIGINAL.search(text)
    return text[: match.start()] if match and text[: match.start()].strip() else text
