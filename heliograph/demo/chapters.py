"""The chapters of the tour: a fabric's daily life.

Law: each chapter stands on the ones before it, does as people do, and checks what people would see.
"""

from __future__ import annotations

import time

from heliograph.demo.across import the_other_fabric
from heliograph.demo.crowd import the_crowd
from heliograph.demo.heirs import the_lost_host
from heliograph.demo.moves import the_move
from heliograph.demo.people import Idler
from heliograph.demo.scene import PEOPLE, STRANGER, Scene
from heliograph.demo.story import Story


def the_people(story: Story, scene: Scene) -> None:
    """The operator makes accounts; the zone says where each of them lives"""
    homes = {name: scene.stage.ask("where", name)["timeline_host"] for name in PEOPLE}
    story.check("the four live on three hosts", set(homes.values()) == {"host-1", "host-2", "host-3"}, homes)
    listed = scene.stage.ask("account", "list")["accounts"]
    story.check("`account list` names them", [row["account"] for row in listed] == sorted(PEOPLE))
    again = scene.stage.command("account", "add", "alice", "--password-file", "-", typed="x")
    story.check("a second alice is refused with code 73", again.returncode == 73, again.stderr)
    report = scene.stage.ask("status")
    story.check("`status` says that all hosts are up", all(host["up"] for host in report["hosts"]))


def the_login(story: Story, scene: Scene) -> None:
    """alice signs in at a host that is not hers; TLS names are verified"""
    with scene.alice.mailbox() as client:
        _, folders = client.list()
        names = " ".join(str(folder) for folder in folders)
        story.check("her folders are there", all(name in names for name in ("INBOX", "Sent", "Drafts", "Trash")), names)
    code, text = scene.alice.send("nobody@" + scene.stage.config.domain, "hello?")
    story.check("mail to somebody unknown is refused at once", code == 550, f"{code} {text}")
    code, text = scene.mailbox.send("mallory", f"nobody@{scene.stage.config.domain}", "hello?", host=2)
    story.check("and so it is from outside, on any host", code == 550, f"{code} {text}")


def the_following(story: Story, scene: Scene) -> None:
    """alice, erin and heidi follow bob: one mail each"""
    for person, to, subject in (
        (scene.alice, scene.to_bob("subscribe"), ""),
        (scene.erin, scene.reflector, "subscribe"),
        (scene.heidi, f"bob-request@reflectors.{scene.stage.config.domain}", "subscribe"),
    ):
        code, text = person.send(to, subject)
        story.check(f"{person.name} writes to {to.partition('@')[0]}, Subject {subject!r}", code == 250, text)
        found = person.wait_for(lambda letter: "bob" in letter.sender + letter.subject + letter.text)
        story.check(f"{person.name} is told that it is done", found, found and found.subject)


def the_post(story: Story, scene: Scene) -> None:
    """bob posts; his followers see it on three hosts, the idling one at once"""
    with scene.heidi.mailbox() as client:
        idler = Idler(client)
        code, text = scene.bob.send(scene.reflector, "Fog on the channel", "Ships, take care.")
        said = time.monotonic()
        announced = idler.wait()
        took = (time.monotonic() - said) * 1000
        idler.done()
    story.check("the post is accepted", code == 250, text)
    story.check("heidi, idling on another host, is told", announced, f"{announced.decode()} after {took:.0f} ms")
    for person in (scene.alice, scene.erin, scene.heidi):
        found = person.wait_for_subject("Fog on the channel")
        story.check(
            f"{person.name} reads it, with the list's name", found and "bob" in found.list_id, found and found.list_id
        )
    code, text = scene.erin.send(scene.reflector, "I have something to say too")
    story.say(f"erin posts to bob's list: {code} {text}")
    answer = scene.erin.wait_for(lambda letter: "550" in letter.text) if code == 250 else None
    reason = answer.text[answer.text.find("550") :] if answer else f"{code} {text}"
    story.check("a post by somebody else is refused, with the reason", reason.startswith("550"), reason)
    copies = [letter for letter in scene.heidi.letters() if "something to say" in letter.subject]
    story.check("and nobody gets it", not copies)


def the_stranger(story: Story, scene: Scene) -> None:
    """A stranger with a mailbox elsewhere follows too: by her word, once confirmed"""
    code, text = scene.mailbox.send(STRANGER, scene.to_bob("subscribe"), "please")
    story.check("her request is taken", code == 250, text)
    asked = scene.mailbox.wait_for(STRANGER, lambda letter: "+confirm." in letter.reply_to)
    story.check("she is asked whether it was her", asked, asked and asked.subject)
    scene.mailbox.send("mallory", f"bob+confirm.{'a' * 24}@reflectors.{scene.stage.config.domain}", "yes")
    if asked:
        code, text = scene.mailbox.send(STRANGER, asked.reply_to, "Re: " + asked.subject)
        story.check("she answers", code == 250, asked.reply_to)
    welcome = scene.mailbox.wait_for(STRANGER, lambda letter: letter.subject == "You follow bob")
    story.check("she is welcomed", welcome, welcome and welcome.subject)
    scene.bob.send(scene.reflector, "Tide table")
    found = scene.mailbox.wait_for(STRANGER, lambda letter: letter.subject == "Tide table")
    story.check("the next post reaches her server", found, found and found.list_id)
    early = [letter for letter in scene.mailbox.letters(STRANGER) if "Fog" in letter.subject]
    story.check("the one before her time does not", not early)
    forged = [letter for letter in scene.mailbox.letters("mallory") if letter.subject == "Tide table"]
    story.check("who guesses a token gets nothing", not forged)


def the_feed(story: Story, scene: Scene) -> None:
    """alice mails a feed's URL to follow@; then heidi does"""
    domain = scene.stage.config.domain
    code, text = scene.alice.send(f"follow@{domain}", scene.site.url, scene.site.url)
    story.check("the URL is taken", code == 250, text)
    found = scene.alice.wait_for_subject("Second light")
    story.check("the newest items are in her timeline", found, found and found.sender)
    scene.site.titles.append("Third light")
    found = scene.alice.wait_for_subject("Third light", 30)
    story.check("a new one follows at the next poll", found, found and found.subject)
    scene.heidi.send(f"follow@{domain}", scene.site.url, scene.site.url)
    found = scene.heidi.wait_for_subject("Third light")
    story.check("heidi follows the same feed", found, found and found.sender)
    feeds = scene.stage.ask("feed", "list")["feeds"]
    story.check("it is one feed, polled by one host", len(feeds) == 1, [(row["host"], row["source"]) for row in feeds])
    scene.alice.send(f"follow@{domain}", "http://127.0.0.1:9/", "http://127.0.0.1:9/")
    found = scene.alice.wait_for(lambda letter: "127.0.0.1" in letter.subject + letter.text)
    story.check("a URL inside the network is refused by mail, with the reason", found, found and found.text[:160])


def the_leaving(story: Story, scene: Scene) -> None:
    """erin has enough; heidi writes nonsense and gets help"""
    scene.erin.send(scene.to_bob("unsubscribe"), "")
    found = scene.erin.wait_for(lambda letter: "no longer" in letter.text.lower() or "goodbye" in letter.text.lower())
    story.check("erin is told that she no longer follows", found, found and found.subject)
    scene.heidi.send(f"bob-request@reflectors.{scene.stage.config.domain}", "make me a sandwich")
    found = scene.heidi.wait_for_subject("How to follow bob")
    story.check("heidi gets help", found, found and found.subject)
    scene.bob.send(scene.reflector, "Evening signal")
    found = scene.heidi.wait_for_subject("Evening signal")
    story.check("heidi gets the next post", found)
    missed = [letter for letter in scene.erin.letters() if "Evening signal" in letter.subject]
    story.check("erin does not", not missed)


def the_crash(story: Story, scene: Scene) -> None:
    """host-2 is killed in mid-flight; nothing accepted is lost, nothing comes twice"""
    scene.stage.kill_host("host-2")
    sent = [f"Signal {number}" for number in range(1, 6)]
    replies = [scene.bob.send(scene.reflector, subject)[0] for subject in sent]
    story.check("posts are accepted while heidi's host is dead", replies == [250] * 5, replies)
    missing = [subject for subject in sent if not scene.heidi.wait_for_subject(subject, 30)]  # in any order
    story.check("it was started again and has them", not missing, missing)
    subjects = [letter.subject for letter in scene.heidi.letters()]
    counts = [subjects.count(subject) for subject in sent]
    story.check("each post exactly once", counts == [1] * 5, counts)
    missing = [subject for subject in sent if not scene.alice.wait_for_subject(subject, 5)]
    story.check("alice on host-3 has them too", not missing, missing)


def the_zone(story: Story, scene: Scene) -> None:
    """The operator edits the zone: a mistake is named and not served, a good edit reaches every host"""
    path = scene.stage.config.zone_file
    good = path.read_text()
    before = {host["host"]: host["serial"] for host in scene.stage.ask("status")["hosts"]}
    path.write_text(good.replace("b7.timeline MX 10 host-1", "b7.timeline MX 10 nowhere"))
    time.sleep(1.5)
    report = scene.stage.command("doctor")
    story.check("`doctor` names the line at fault", "nowhere" in report.stdout, _line_with(report.stdout, "nowhere"))
    served = {host["host"]: host["serial"] for host in scene.stage.ask("status")["hosts"]}
    story.check("the last good zone goes on", served == before, served)
    path.write_text(good.replace("b7.timeline MX 10 host-1", "b7.timeline 120 MX 10 host-1"))
    give_up = time.monotonic() + 15
    serials: set[int] = set()
    while time.monotonic() < give_up and (len(serials) != 1 or min(serials) <= max(before.values())):
        serials = {host["serial"] for host in scene.stage.ask("status")["hosts"]}
        time.sleep(0.2)
    moved = len(serials) == 1 and min(serials) > max(before.values())
    story.check("an edit without a new serial is served with one more, on all hosts", moved, f"{before} -> {serials}")


def the_end(story: Story, scene: Scene) -> None:
    """Nothing is left in the queue, and everything ends when it is told to"""
    give_up = time.monotonic() + 10
    waiting = scene.stage.ask("queue", "list")["waiting"]
    while waiting and time.monotonic() < give_up:
        time.sleep(0.3)
        waiting = scene.stage.ask("queue", "list")["waiting"]
    story.check("the queues are empty", not waiting, waiting)
    story.check("no traceback in the log", "Traceback" not in scene.stage.log(), _traceback(scene.stage.log()))
    code = scene.stage.stop()
    story.check("SIGTERM ends all hosts, with code 0", code == 0, code)
    down = scene.stage.command("account", "list", "--json")
    story.check("the command works with the fabric down", "alice" in down.stdout)


CHAPTERS = (
    the_people,
    the_login,
    the_following,
    the_post,
    the_stranger,
    the_feed,
    the_leaving,
    the_crowd,
    the_other_fabric,
    the_crash,
    the_zone,
    the_move,
    the_lost_host,
    the_end,
)


def _line_with(text: str, word: str) -> str:
    return next((line for line in text.splitlines() if word in line), "")


def _traceback(log: str) -> str:
    return log[log.find("Traceback") :][:400] if "Traceback" in log else ""
