"""A newsletter, from a wish by mail to its issues in their folder."""

from __future__ import annotations

import re

from tests.fabric.town import DOMAIN, OUTSIDE, Town, from_outside, letter

PUBLISHER = f"news@{OUTSIDE}"
FOLDER = '"The Weekly"'
WAY_OUT = "<https://elsewhere.example/u/1>"


async def test_a_newsletter_is_wished_for_confirmed_read_and_dropped(town: Town) -> None:
    heidi, port = town.person("heidi", 1), town.config.ports.smtp
    await heidi.send(f"follow@{DOMAIN}", "newsletter The Weekly", " ")
    await town.still()
    text = "".join(str(found.get_content()) for found in await heidi.letters() if "Newsletter" in found["Subject"])
    (address,) = re.findall(rf"heidi\+news\.\S+@{DOMAIN}", text)

    async def send(subject: str, to: str = address, at: int = 1, **fields: str) -> str:
        content = letter(f"The Weekly <{PUBLISHER}>", to, subject, **fields)
        return await from_outside(town.address(at), port, PUBLISHER, [to], content)

    assert (await send("Please confirm your subscription")).startswith("250")
    assert (await send("Issue 1", at=3, List_Unsubscribe=WAY_OUT)).startswith("250")
    await town.still()
    (issue,) = await heidi.letters(FOLDER)
    assert issue["Subject"] == "Issue 1" and issue["From"] == f"The Weekly <{PUBLISHER}>"
    assert WAY_OUT in issue["List-Unsubscribe"] and "+unsubscribe@reflectors" in issue["List-Unsubscribe"]
    assert address not in issue.as_string() and not any("Issue" in subject for subject in await heidi.subjects())
    assert "Please confirm your subscription" in await heidi.subjects()

    back = issue.as_bytes()  # the publisher sends what it got to where it got it
    assert (await from_outside(town.address(2), port, PUBLISHER, [address], back)).startswith("250")
    await town.still()
    assert len(await heidi.letters(FOLDER)) == 1
    name, _, token = address.partition("+news.")
    flipped = f"{name}+news.{'b' if token.startswith('a') else 'a'}{token[1:]}"
    for at in (1, 2):
        assert (await send("Issue 2", flipped, at)).startswith("550")

    await heidi.send(f"follow@{DOMAIN}", "drop The Weekly", " ")
    await town.still()
    assert (await send("Issue 2", at=2, List_Unsubscribe=WAY_OUT)).startswith("550")
