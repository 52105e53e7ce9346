"""Texts that try to act as markup, links or commands, and random mixtures of their pieces."""

from __future__ import annotations

import random

HOSTILE = (
    # raw HTML
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>",
    "<a href='javascript:alert(1)'>click</a>", "</bdi></main><h1>Gotcha</h1>", "<!-- comment",
    "--> <b>bold</b> <!--", "<?php echo 1 ?>", "<![CDATA[x]]>", "\" onmouseover=\"alert(1)",
    "' style='display:none", "<details><summary>x</summary>", "</style><style>*{}",
    # links, images, autolinks
    "[click](http://example.com)", "![pixel](https://example.com/p.png)", "[ref][1]",
    "[1]: http://example.com", "[x]: <javascript:alert(1)> 'title'", "![][1]", "[^1]",
    "[^1]: footnote", "<http://example.com>", "<mail@example.com>", "http://example.com",
    "see https://example.com/path?a=b&c=d#e.", "HTTPS://EXAMPLE.COM", "www.example.com",
    "WWW.Example.com", "(www.example.com)", "ftp://example.com/x", "mail@example.com",
    "first.last+tag@mail.example.co.uk", "mailto:mail@example.com", "xmpp:mail@example.com/x",
    "example.com", "README.md", "//example.com", "localhost:8000", "http://localhost",
    "http://127.0.0.1:8080/", "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd",
    "mailto:a@b", "http:\u200b//example.com", "a\u2060www.example.com", "http\\://example.com",
    "\\www.example.com", "_www.example.com_", "*http://example.com*",
    "https://xn--e1afmkfd.xn--p1ai", "https://пример.рф", "пример.рф",
    # blocks
    "# heading", "#", "###### six ######", "heading #", "heading ##", "#hash", "> quote", ">quote",
    "- list", "* list", "+ list", "-", "1. list", "1) list", "123456789. list", "- [ ] task",
    "[x] task", "---", "***", "___", "* * *", "===", "==", "```", "~~~", "```\ncode\n```",
    "    indented", "\tindented", "| a | b |", "|---|---|", "---|---", ":--", ":-:", ":--|--:",
    "a | b\n--|--", ": definition", "::: warning", "\n\n# heading\n\n", "a\n===", "a\n---",
    "text\r\n- list", "text\x0b# heading", "text\u2028# heading", "text\u2029- list",
    "text\x85> quote",
    # inline markup
    "*emphasis*", "**strong**", "***both***", "_emphasis_", "__strong__", "a_b_c", "_a", "a_", "*a",
    "a*", "2 * 3 * 4", "`code`", "``code``", "`", "~~struck~~", "~struck~", ("~50 or "
                                                                            "~60"), "~a~b~",
                                                                            "~_.md",
    "\\", "\\\\", "ends in \\", "a\\*b", "line  \nbreak", "line\\\nbreak", "&lt;b&gt;",
    "&#60;b&#62;", "&#x3c;", "&copy;", "&amp;amp;", "AT&T; x", "$a$", "$$a$$", "$`a`$", "\\(a\\)",
    "==mark==", "^sup^", "{{ 7 * 7 }}", "{% raw %}", "<3 <- -> <=>",
    # mentions, emoji, references
    "@everyone", "@here and @channel", "hi @octocat", "@org/team", "<@U012AB3CD>", "<!channel>",
    "<!here|here>", "<#C024BE7LR>", "<!subteam^S1>", "<http://example.com|click>",
    "<mailto:a@b.com|a>", ":smile:", ":a:b:c:", ":+1:", "12:30:45", "#17", "org/repo#17", "GH-17",
    "!17",
    # control characters, direction, hidden
    "\x00\x01\x02", "\x1b[31mred\x1b[0m", "\x9b31m", "a\x7fb", "\u202egnp.exe", "\u2066a\u2069",
    "\u200b\u200c\u200d", "\ufeff# heading", "\u00ad- list", "\U000e0041\U000e0042",
    "a" + "\u0301" * 40, "\ud800", "\uffff", "\u3164", "\u061c\u200e\u200f",
    "مرحبا www.example.com", "👩‍👩‍👧 family", "  ", "", "\u00a0", "x" * 5000, "*" * 700, "[" * 300,
    "<" * 300, "\\" * 121, "word " * 200,
)  # fmt: skip

_PIECES = (
    *"\\`*_{}[]()<>#+-.!|~:/@&;$^='\"?%,0a1Zé \t\n\r", "  ", "\u200b", "\u202e", "\x00", "\u2060",
    "\u00a0", "http", "https://", "www.", "WWW.", "ftp:", "mailto:", "xmpp:", "example", ".com",
    ".md", "a@b.co", "<a", "</", "<!--", "-->", "&#", "&lt", "[ ]", "](", "![", "```", "~~~", "---",
    "===", "- ", "1. ", "|-", "**", "__", "рф", "م", "👍", ":smile:", "#1", "\u0301",
)  # fmt: skip


def random_texts(count: int, seed: int) -> list[str]:
    """`count` texts of up to 24 pieces each, the same ones for the same seed."""
    pick = random.Random(seed)
    return ["".join(pick.choices(_PIECES, k=pick.randint(1, 24))) for _ in range(count)]
