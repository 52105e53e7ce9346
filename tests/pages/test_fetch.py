"""Fetching the pages that records point to: public addresses, within limits, never fatal."""

from __future__ import annotations

import codecs
import gzip
import time
from encodings.aliases import aliases
from functools import partial

import pytest

from pages.addresses import is_public
from pages.page import _CHARSET, MOST_BYTES, Page, _decoded, fetch
from rigs.page_server import moved, page, serving


@pytest.fixture
def web():
    """A server whose address counts as public: web.fetch("/path")."""
    with serving() as site:
        yield site


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "168.63.129.16",
        "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1",
        "3fff::1", "5f00::1",
        "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
        "2606:4700::1%eth0", "", "name",
    ],
)  # fmt: skip
def test_what_is_not_on_the_public_internet_is_not_fetched_from(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a00:1450::1"])
def test_public_addresses_are_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "0.0.0.0", "[::1]", "[::]", "10.0.0.1", "169.254.169.254", "100.64.1.1",
        "[fc00::1]",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "2130706433", "017700000001",
        "0x7f000001",
        "0x7f.1", "127.1", "0", "localhost", "localhost.", "LOCALHOST", "%6cocalhost", "127.0.0.1.",
    ],
)  # fmt: skip
def test_no_way_of_writing_a_local_address_gets_through(host):
    for scheme in ("http", "https"):
        found = fetch(f"{scheme}://{host}/", seconds=20)
        assert found.text == "" and found.error != ""
        assert found.error in (
            "not a public address",
            "the name is not known",
            "not readable (InvalidURL)",
        )


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://user:secret@example.com/", "an address with a password"),
        ("http://user@example.com/", "an address with a password"),
        ("http://example.com:8080/", "port 8080"),
        ("http://example.com:22/", "port 22"),
        ("http://example.com:99999/", "not an address"),
        ("ftp://example.com/", "not an http(s) address"),
        ("file:///etc/passwd", "not an http(s) address"),
        ("http:///path", "not an http(s) address"),
        ("http://[::1/", "not an address"),
    ],
)
def test_an_address_that_is_no_plain_web_address_is_not_looked_up(url, error):
    def resolve(host: str, port: int) -> list[str]:
        raise AssertionError(host)

    assert fetch(url, resolve=resolve) == Page(error=error)


def test_a_name_with_one_private_address_among_public_ones_is_refused():
    found = fetch("http://mixed.example/", resolve=lambda *_: ["8.8.8.8", "10.0.0.1"])
    assert found.error == "not a public address"


def test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_checked(web):
    answers = iter(["127.0.0.1", "127.0.0.2", "127.0.0.2"])
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return [next(answers)]

    web.pages["/"] = page("hello")
    assert web.fetch("/", "rebinding.example", resolve=resolve) == Page("hello")
    assert asked == [("rebinding.example", web.port)]
    assert f"Host: rebinding.example:{web.port}\r\n" in web.asked[0]


def test_each_redirect_is_checked_like_the_first_address(web):
    for target in (
        "http://10.0.0.1:{port}/",
        "http://localhost.:{port}/",
        "http://169.254.169.254:{port}/",
    ):
        web.pages["/"] = moved(target.format(port=web.port))
        answers = iter([True, False])
        found = web.fetch("/", allowed=lambda _, answers=answers: next(answers))
        assert found.error == "not a public address"
    web.pages["/"] = moved("http://127.0.0.1:22/")
    assert web.fetch("/").error == "port 22"
    web.pages["/"] = moved(f"http://user:pass@127.0.0.1:{web.port}/")
    assert web.fetch("/").error == "an address with a password"
    web.pages["/"] = moved("file:///etc/passwd")
    assert web.fetch("/").error == "not an http(s) address"


def test_a_redirect_to_a_name_that_resolves_to_a_private_address_is_refused(web):
    addresses = {"127.0.0.1": "127.0.0.1", "inside.example": "10.0.0.7"}
    web.pages["/"] = moved(f"http://inside.example:{web.port}/secret")
    found = web.fetch("/", resolve=lambda host, port: [addresses[host]])
    assert found.error == "not a public address"
    assert len(web.asked) == 1


def test_five_redirects_are_followed_and_a_sixth_is_not(web):
    for number in range(7):
        web.pages[f"/{number}"] = moved(f"/{number + 1}")
    web.pages["/7"] = page("there")
    assert web.fetch("/2") == Page("there")
    assert web.fetch("/1").error == "more than 5 redirects"


def test_proxies_and_passwords_of_the_environment_are_not_used(web, monkeypatch, tmp_path):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (tmp_path / ".netrc").write_text("default login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.delenv("NO_PROXY")
    web.pages["/"] = page("hello")
    assert web.fetch("/") == Page("hello")
    assert "authorization" not in web.asked[0].lower()


def dribble(site, first: bytes, more: bytes) -> None:
    site.send(first)
    while not site.ending.wait(0.05):
        site.send(more)


@pytest.mark.parametrize(
    ("first", "more"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n"),
        (b"HTTP/1.1 200 OK\r\nx-long: ", b"a"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 900\r\n\r\n", b"a"),
    ],
    ids=["silence", "headers", "one header", "body", "announced body"],
)
def test_a_server_that_dribbles_is_cut_off_in_time(web, first, more):
    web.pages["/"] = partial(dribble, first=first, more=more)
    began = time.monotonic()
    assert web.fetch("/", seconds=1).error == "took longer than 1 s"
    assert time.monotonic() - began < 10, "however loaded this machine is"


def test_a_resolver_that_never_answers_is_not_waited_for(web):
    def resolve(host: str, port: int) -> list[str]:
        web.ending.wait(60)
        return []

    assert (
        web.fetch("/", "slow.example", seconds=0.2, resolve=resolve).error
        == "took longer than 0.2 s"
    )


def test_of_a_long_page_the_beginning_is_kept(web):
    web.pages["/"] = page("a" * 5_000_000)
    assert web.fetch("/") == Page("a" * MOST_BYTES)


def test_the_limit_is_on_what_is_unpacked(web):
    packed = gzip.compress(b"a" * 30_000_000)
    web.pages["/"] = page(packed, "text/plain", "Content-Encoding: gzip")
    assert web.fetch("/") == Page("a" * MOST_BYTES)


@pytest.mark.parametrize(
    "kind", ["image/png", "application/pdf", "application/octet-stream", "video/mp4", ""]
)
def test_what_is_no_text_is_not_read(web, kind):
    web.pages["/"] = page("GIF89a", kind)
    assert web.fetch("/") == Page(error="not a text")


def test_text_json_and_other_charsets_are_read(web):
    web.pages |= {
        "/json": page('{"a": 1}', "application/json"),
        "/problem": page("{}", "application/problem+json"),
        "/latin": page("café".encode("latin-1"), "text/plain; charset=ISO-8859-1"),
        "/broken": page(b"caf\xe9", "text/plain; charset=nonsense"),
        "/plain": page("café", "text/plain"),
    }
    texts = [web.fetch(f"/{name}").text for name in ("json", "problem", "latin", "broken", "plain")]
    assert texts == ['{"a": 1}', "{}", "café", "caf\ufffd", "café"]


@pytest.mark.parametrize(
    "charset",
    ["punycode", "idna", "unicode_escape", "raw-unicode-escape", "utf-7", "undefined", "rot13",
     "base64", "zlib", "hex", "uu", "palmos", "mbcs", "oem", "../aliases", "utf_8_sig\0", ""],
)  # fmt: skip
def test_a_codec_that_no_page_is_written_in_is_not_used(web, charset):
    body = "caf\u00e9 +AGE- \\u0041 -ab " * 2
    web.pages["/"] = page(body.encode(), f"text/plain; charset={charset.strip(chr(0))}")
    assert web.fetch("/") == Page(body.strip())


def test_every_other_codec_reads_any_bytes_at_once():
    for name in sorted({*aliases.values(), "koi8_u", "cp1125", "kz1048"}):
        codec = codecs.lookup(name).name if name not in ("mbcs", "oem") else ""
        if _CHARSET(codec):
            for body in (bytes(range(256)) * 800, b"a" * MOST_BYTES, b"\x1b$B" * 60_000):
                began = time.process_time()
                _decoded(body, f"text/html; charset={name}; x=y")
                assert time.process_time() - began < 1, name


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (page("", status="404 Not Found"), "status 404"),
        (page("", status="503 Service Unavailable"), "status 503"),
        (b"nonsense\r\n\r\n", "no connection"),
        (b"", "no connection"),
        (
            page(b"\x1f\x8bnonsense", "text/plain", "Content-Encoding: gzip"),
            "not readable (ContentDecodingError)",
        ),
        (moved("http://[nonsense/"), "not readable (ValueError)"),
    ],
)
def test_a_failure_is_said_in_words_that_quote_nobody(web, raw, error):
    web.pages["/secret-path"] = raw
    assert web.fetch("/secret-path") == Page(error=error)


def test_nobody_there_is_no_connection():
    found = fetch("http://127.0.0.1:9/", ports=frozenset({9}), allowed=lambda _: True)
    assert found.error == "no connection"
