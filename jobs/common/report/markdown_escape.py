"""Text from outside, inside Markdown: shown as it is, never read as markup.

A backslash is seen by whoever reads the file in a terminal, so it stands only where the character
after it could mean something. Where no backslash helps, because links, mentions and emoji are
looked for in the finished page, an invisible word joiner (U+2060) parts what together would be one.
"""

from __future__ import annotations

import re

JOINER = "\u2060"

# After each of these comes a word joiner.
_JOIN = re.compile(
    r"""
      www (?= \. )                          # www.example.com
    | \. (?= [^\W\d_]{2} )                  # example.com, README.md: .md is a country too
    | / (?= / )                             # http://, and //example.com
    | (?<= [^\W\d_]{2} ) : (?= \S )         # mailto:, javascript:, not C:\Users
    | : (?= [\w+-]+ : ) (?! \d\d? : )       # :smile:, not 12:30:05
    | @ (?= \S )                            # @name, name@example.com
    | [#] (?= \w )                          # #17, #channel
    | ! (?= \d ) | \b GH- (?= \d )          # !17, GH-17
    | < (?= [@!#] )                         # Slack: <@U123>, <!channel>, <#C123>
    """,
    re.VERBOSE | re.IGNORECASE,
)

# Each character of these gets a backslash before it. Possessive runs (`++`): all of it or nothing.
_ESCAPE = re.compile(
    r"""
      \\ (?= [!-/:-@\[-`{-~] | $ )          # C:\Users needs none
    | [`\[|]                                # code, links and images, tables
    | (?<! \s ) \* | \* (?! \s )            # 2 * 3 needs none
    | (?<! [^\W_] ) (?<! _ ) _++            # snake_case needs none
    | _++ (?! [^\W_] )
    | < (?= [A-Za-z/!?] )                   # <3 needs none
    | & (?= [#]?\w+; )                      # AT&T needs none
    | (?<= \S ) ~ | ~ (?! [^\W_] )          # ~50 can open struck-out text, but nothing closes it
    | (?<= \S ) \$                          # the same with $20 and formulas
    | ^ [#>=]                               # headings, quotes
    | ^ [-+:] (?= [\s:-] | $ )              # lists, rules, table rulers
    | (?<= \s ) [#] (?= [#]* $ )            # the closing # of a heading
    """,
    re.VERBOSE,
)

_NUMBERED = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")


def parted(line: str) -> str:
    """Return one line of plain text in which nobody finds a link, a mention or an emoji."""
    return _JOIN.sub(lambda found: found[0] + JOINER, line)


def escaped(line: str) -> str:
    """Return one line of plain text as Markdown that shows exactly these characters.

    It may stand anywhere in a line of prose, alone in it or beside others; not in a code fence.
    """
    line = _ESCAPE.sub(
        lambda found: "".join("\\" + character for character in found[0]), parted(line)
    )
    return _NUMBERED.sub(r"\1\\\2", line)
