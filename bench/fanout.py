"""One post to very many followers on three hosts, beside mlmmj, Postfix and Dovecot: `--quick`, `--json`.

Law: a delivery counts when the follower's timeline would show it: his host's log has the post and his follow row covers
it, asked of every database for all, and over IMAP of some. The peer delivers the same text into mailboxes on the same
disk. What reading costs us (entries are made then) is counted as ours; logins and clients are on neither side.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # else `ingest` would be bench/ingest.py
from fanout_fabric import SOURCE, Crowd, Use, crowd, read_all
from mlmmj import is_installed

from heliograph.demo.people import Person

FOLLOWERS, FOLLOWERS_QUICK = 100_000, 10_000
PEER, PEER_QUICK = (1_000, 10_000), (1_000,)
POSTS = 10
POSTS_A_SECOND = 10
SETTLE_SECONDS_MAX = 120.0
AFTER_SECONDS = 2.0  # posts go on so long after the last leaf has taken over
SAMPLE, SAMPLE_QUICK = 1_000, 100
READERS_MAX = 5_000  # who open their timelines to be measured, each in a transaction of its own
LATE_SECONDS_MAX = 2.0
RATIO_MIN = 100.0
LOOK_AGAIN_SECONDS = 0.002


@dataclass(slots=True)
class Growth:
    """What happened while leaves took over a flat list, and posts went on."""

    seconds: float = 0.0
    late: list[float] = field(default_factory=list)


def arrival_times(people: Crowd) -> dict[int, float]:
    """When the last host had each post in its log."""
    times: dict[int, list[float]] = {}
    for host in people.hosts:
        with people.asking(host) as database:
            for post, at in database.execute("SELECT post, arrival FROM post_log WHERE source = ?", (SOURCE,)):
                times.setdefault(post, []).append(at)
    return {post: max(at) for post, at in times.items() if len(at) == len(people.hosts)}


def await_posts(people: Crowd) -> None:
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while len(arrival_times(people)) < people.posts:
        if time.monotonic() > deadline:
            raise SystemExit("a post did not reach every host")
        time.sleep(LOOK_AGAIN_SECONDS)


def grow(people: Crowd) -> Growth:
    """Let the leaves take a flat list over while posts flow."""
    growth, began, said, ended = Growth(), time.monotonic(), {}, threading.Event()

    def flow() -> None:
        following = time.monotonic()
        while not ended.is_set():
            at = people.post()
            said[people.posts] = at
            following += 1 / POSTS_A_SECOND
            time.sleep(max(0.0, following - time.monotonic()))

    poster = threading.Thread(target=flow)
    poster.start()
    try:
        while people.leaves() < len(people.hosts) - 1:
            if time.monotonic() - began > SETTLE_SECONDS_MAX:
                raise SystemExit("the leaves did not take over")
            time.sleep(0.05)
        growth.seconds = time.monotonic() - began
        time.sleep(AFTER_SECONDS)
    finally:
        ended.set()
        poster.join()
    await_posts(people)
    arrived = arrival_times(people)
    growth.late = [arrived[post] - at for post, at in said.items()]
    return growth


def deliver(people: Crowd) -> tuple[list[float], Use]:
    """Post, one after the other; return the seconds of each to the last host, and what the hosts used for all."""
    before, seconds = people.use(), []
    for _ in range(POSTS):
        said = people.post()
        await_posts(people)
        seconds.append(arrival_times(people)[people.posts] - said)
    return seconds, people.use() - before


def check_all(people: Crowd) -> None:
    """Every follower's timeline shows every post, once: asked of the databases."""
    covered = "f.source = l.source AND l.post >= f.from_post AND l.post < f.until_post"
    sql = f"SELECT count(*) FROM post_log l JOIN follow f ON {covered}"
    shown = Counter[str]()
    for host in people.hosts:
        with people.asking(host) as database:
            shown[host] = database.execute(f"{sql} WHERE l.source = ?", (SOURCE,)).fetchone()[0]
    expected = Counter(people.home.values())
    wrong = {host: shown[host] for host in people.hosts if shown[host] != expected[host] * people.posts}
    if wrong:
        raise SystemExit(f"timelines are wrong: {wrong}, expected {dict(expected)} times {people.posts}")


def check_some(people: Crowd, sample: int) -> None:
    """The same over IMAP."""
    for name in people.names[:: len(people.names) // sample][:sample]:
        host = people.hosts.index(people.home[name]) + 1
        with Person(people.here, name, host).mailbox() as client:
            _, (said,) = client.status("INBOX", "(MESSAGES)")
            found = re.search(rb"MESSAGES ([0-9]+)", said or b"")
            if not found or int(found[1]) != people.posts:
                raise SystemExit(f"{name}: {said!r}, expected {people.posts}")


def peer(followers: int, posts: int = 2) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="heliograph-mlmmj-") as folder:
        Path(folder).chmod(0o755)
        script = str(Path(__file__).with_name("mlmmj.py"))
        command = [sys.executable, script, str(followers), str(posts), folder]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        told: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
        return told


def main() -> int:
    quick = "--quick" in sys.argv
    if not is_installed():
        print("needs root and Debian's mlmmj, postfix and dovecot-lmtpd: scripts/peers installs them")
        return 0
    followers = FOLLOWERS_QUICK if quick else FOLLOWERS
    with crowd(followers) as people:
        people.here.start()
        growth = grow(people)
        seconds, used = deliver(people)
        check_all(people)
        check_some(people, SAMPLE_QUICK if quick else SAMPLE)
        people.here.stop()
        posts = people.posts
        readers = min(followers, READERS_MAX)
        read = read_all(people, readers)
    peers = {size: peer(size) for size in (PEER_QUICK if quick else PEER)}
    return tell(followers, posts, growth, seconds, used, Use(read.cpu / readers, read.octets // readers), peers)


def tell(
    followers: int,
    posts: int,
    growth: Growth,
    seconds: list[float],
    used: Use,
    reader: Use,
    peers: dict[int, dict[str, object]],
) -> int:
    median = statistics.median(seconds)
    rate = followers / median
    peer_rate = max(size / min(told["seconds"]) for size, told in peers.items())  # type: ignore[arg-type, call-overload]
    per = 10_000 / (followers * POSTS)
    unread = Use(used.cpu * per, int(used.octets * per))
    # A reader makes the entries of all posts since she last looked, at once.
    costs = {"nobody reads": unread}
    for name, part in (("a tenth read", 0.1), ("all read", 1.0)):
        reading = part * 10_000 / posts
        costs[name] = Use(unread.cpu + reading * reader.cpu, unread.octets + int(reading * reader.octets))
    largest = max(peers)
    theirs = Use(
        float(peers[largest]["cpu_s"]) * 10_000 / (largest * 2),  # type: ignore[arg-type]
        int(peers[largest]["written_octets"]) * 10_000 // (largest * 2),  # type: ignore[call-overload]
    )
    worst = max(growth.late)
    print(
        f"{followers:,} followers on 3 hosts: a post is everywhere {median * 1e3:.1f} ms after its 250: {rate:,.0f}/s"
    )
    for size, told in peers.items():
        print(f"  mlmmj, Postfix, Dovecot: {size:,} mailboxes in {min(told['seconds']):.2f} s")  # type: ignore[call-overload]
    print(f"  {rate / peer_rate:,.0f} times the deliveries a second of the peer ({peer_rate:,.0f}/s)")
    print("cost of 10,000 deliveries:")
    for name, one in {**costs, "the peer, nobody reads": theirs}.items():
        print(f"  {name:24}{one.cpu:10.4f} CPU s{one.octets / 1e6:12.3f} MB to disk")
    print(
        f"leaves took over a flat list in {growth.seconds:.1f} s, {len(growth.late)} posts meanwhile and after:"
        f" the latest {worst:.2f} s after its 250, median {statistics.median(growth.late):.3f} s"
    )
    if "--json" in sys.argv:
        figures = {
            "followers": followers,
            "hosts": 3,
            "seconds": round(median, 4),
            "deliveries_per_s": round(rate),
            "peer_deliveries_per_s": round(peer_rate),
            "ratio": round(rate / peer_rate, 1),
            "cpu_ratio_all_read": round(theirs.cpu / costs["all read"].cpu, 1),
            "split_seconds": round(growth.seconds, 2),
            "split_latest_post_s": round(worst, 3),
        }
        print(json.dumps(figures))
    return int(rate / peer_rate < RATIO_MIN or worst > LATE_SECONDS_MAX)


if __name__ == "__main__":
    sys.exit(main())
