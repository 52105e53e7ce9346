"""Texts of .env files, strange ones among them, and what the wrappers' bash reads in them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from rigs.wrapper_fixtures import REPOSITORY

TEXTS = [
    "A=plain",
    "A = spaces round it ",
    "A=\tafter a tab\t",
    "  A=indented",
    "export A=exported",
    "export\tA=after a tab",
    "export  A  =  much space",
    "exportA=not exported",
    "export=a name like any other",
    "A=",
    "A= ",
    "A",
    "A=''",
    'A=""',
    "A='single quotes'",
    'A="double quotes"',
    "A='spaces at the end '   ",
    'A=" # no comment " # a comment',
    "A=' # no comment ' # a comment",
    "A=value # a comment",
    "A=value\t# a comment",
    "A=value#no comment",
    "A=#no comment",
    "A= # a comment",
    "A=a # b # c",
    "# A=comment",
    "   # A=comment",
    "#",
    "A=it's",
    "A='it\\'s'",
    'A="she said \\"no\\""',
    "A='back\\\\slash'",
    'A="back\\\\slash"',
    'A="\\a\\b\\f\\n\\r\\t\\v\\q"',
    "A='\\n stays'",
    "A=\\n stays",
    'A="\\$HOME"',
    "A=C:\\Users\\me",
    "A='unclosed",
    'A="unclosed',
    'A="closed" and more',
    "A='closed'more",
    'A="closed"# a comment',
    "A=$(touch never) `touch never`",
    "A=${HOME} $HOME",
    'A="${HOME}"',
    "A=https://hooks.example/x?a=1&b=2;c=3|d",
    "A=a=b=c",
    "A==",
    "A=!*?[a]{b,c}~",
    "A=%s%n%%",
    "'A'=quoted name",
    "'A' = quoted name",
    '"A"=another name',
    "A B=two words",
    "=no name",
    "A+=1",
    "A-B=1",
    "A.B=1",
    "1A=1",
    "é=1",
    "A=ünï \U0001f600",
    "A=\u00a0no-break spaces\u00a0",
    "A=x\u00a0# a comment",
    "A=\u2003em spaces\u2003",
    "A=a\x1cb\x1c",
    "A=  \x0cform feed\x0c",
    "A=1\nA=2",
    "A=1\nA",
    "A=1\n\n\n# x\n B=2",
    "A=1\r\nB=2\r\n",
    "A='1'\r\nB=\"2\"\r\n",
    "A=1\rB=2",
    "A=\r\nB=2",
    "A='unclosed\nB=2",
    "nonsense\nB=2",
    "A='x' junk\nB=2",
    'A="two\nlines"\nB=2',
    "A='B=1\nC=2\n'\nD=3",
    "A=\nB=2",
    "A=1 \n\tB=2",
    "\ufeffA=byte order mark",
    "export\nA=1",
    "export # comment\nA=1",
    "A=one\\\nB=2",
]


def as_bash_reads_it(path: Path, **environment: str) -> dict[str, str]:
    """The names that the wrappers find in the file, each with its value."""
    script = """
        set -u
        root=$1
        source "$root/jobs/wrappers/shared.sh"
        prepare_environment
        read_dotenv "$2"
        for name in "${!dotenv[@]}"; do printf '%s\\0%s\\0' "$name" "${dotenv[$name]}"; done
    """
    command = ["bash", "-c", script, "bash", str(REPOSITORY), str(path)]
    done = subprocess.run(
        command,
        capture_output=True,
        env={"PATH": "/usr/bin:/bin", **environment},
        cwd=path.parent,
        timeout=10,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    words = done.stdout.decode().split("\0")[:-1]
    return dict(zip(words[::2], words[1::2], strict=True))
