"""An item as it is read: a page of HTML that suits a light and a dark screen, and a text that says the same.

Law: nothing is fetched but the article's own pictures; no colour is set without its background, so that whatever a
client does with colours, letters stand out from what is behind them.
"""

from __future__ import annotations

import html

from ingest.header_text import line_of, web_link
from ingest.items import Attachment, Item

STYLE = """\
:root { color-scheme: light dark; }
body { margin: 0; padding: 0; }
.page { max-width: 42em; margin: 0 auto; padding: 1em; font: 1em/1.55 system-ui, -apple-system, "Segoe UI", Roboto,
  "Helvetica Neue", sans-serif; overflow-wrap: break-word; }
.page h1.title { font-size: 1.5em; line-height: 1.25; margin: 0 0 .2em; }
.page h1.title a { color: inherit; text-decoration: none; }
.page .by { font-size: .9em; opacity: .7; margin: 0 0 1.4em; }
.page h1, .page h2, .page h3 { line-height: 1.25; }
.page img { max-width: 100%; height: auto; }
.page figure { margin: 1em 0; }
.page figcaption { font-size: .9em; opacity: .75; }
.page pre { overflow-x: auto; white-space: pre-wrap; font-size: .9em; }
.page blockquote { margin: 1em 0; padding: 0 0 0 1em; border-left: .2em solid #8888; }
.page table { border-collapse: collapse; max-width: 100%; }
.page td, .page th { padding: .2em .5em; vertical-align: top; }
.page .foot { font-size: .9em; margin-top: 2em; padding-top: .8em; border-top: 1px solid #8884; }
.page .foot p { margin: .3em 0; }
"""


def letter(item: Item, title: str, feed: str, link: str, language: str) -> tuple[str, str]:
    """Return (text, HTML). `link`: the item's, fit to be written; "" if it has none."""
    below = [(described(each), url) for each in item.attachments if (url := web_link(each.url))]
    return _text(item, link, below), _html(item, title, feed, link, below, language)


def _pictures(item: Item, below: list[tuple[str, str]]) -> tuple[list[str], list[tuple[str, str]]]:
    """Show an enclosed picture above an article that shows none; another one is in the article already."""
    pictures = [url for what, url in below if what.startswith("Image")]
    shown = [] if "<img" in item.html else pictures[:1]
    return shown, [(what, url) for what, url in below if url not in pictures]


def described(attachment: Attachment) -> str:
    """Say what an enclosure is."""
    kind = line_of(attachment.kind, 60).partition("/")[0].capitalize()
    name = kind if kind in ("Audio", "Video", "Image") else "Attachment"
    return f"{name} ({attachment.octets / 1e6:.1f} MB)" if attachment.octets >= 100_000 else name


def _text(item: Item, link: str, below: list[tuple[str, str]]) -> str:
    foot = "\n".join([*(f"{what}: {url}" for what, url in below), *([link] if link else [])])
    return "\n\n".join(filter(None, [item.text, foot])) or "(nothing)"


def _html(item: Item, title: str, feed: str, link: str, below: list[tuple[str, str]], language: str) -> str:
    author, source = line_of(item.author, 120), line_of(feed, 120)
    by = " · ".join(filter(None, [author if author.casefold() != source.casefold() else "", source]))
    pictures, rest = _pictures(item, below)
    foot = [f"<p>{_anchor(url, _to_play(what))}</p>" for what, url in rest]
    foot += [f"<p>{_anchor(link, _short(link))}</p>"] if link else []
    rows = [
        f'<h1 class="title">{_anchor(link, title) if link else html.escape(title)}</h1>' if title else "",
        f'<p class="by">{html.escape(by)}</p>' if by else "",
        *(f'<p><img src="{html.escape(url)}" alt="" style="max-width:100%;height:auto"></p>' for url in pictures),
        item.html,
        '<div class="foot">\n' + "\n".join(foot) + "\n</div>" if foot else "",
    ]
    lang = f' lang="{html.escape(language)}"' if language else ""
    return (
        f'<!DOCTYPE html>\n<html{lang}><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta name="color-scheme" content="light dark"><title>{html.escape(title or feed)}</title>\n'
        f'<style>\n{STYLE}</style></head>\n<body><div class="page" dir="auto">\n'
        + "\n".join(filter(None, rows))
        + "\n</div></body></html>"
    )


def _to_play(what: str) -> str:
    return f"▶ {what}" if what.startswith(("Audio", "Video")) else what


def _anchor(url: str, words: str) -> str:
    return f'<a href="{html.escape(url)}">{html.escape(words)}</a>'


def _short(url: str) -> str:
    """An address for the eye."""
    shown = url.partition("://")[2].removeprefix("www.").rstrip("/")
    return shown if len(shown) <= 70 else shown[:67] + "…"
