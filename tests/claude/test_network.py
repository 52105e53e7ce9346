"""The way to Claude: past which proxy, with which certificates, and what is said of broken ones."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from common.claude.network import proxy_for, trusted
from common.claude.retries import Retry
from common.process.exits import JobExit
from rigs.eavesdropper import eavesdropping
from rigs.harness import python
from rigs.own_jobs import labels
from rigs.report_site import events

CLAUDE = "https://api.anthropic.com"
PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in (*PROXIES, "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def way(url: str = CLAUDE) -> str:
    """The proxy that a request to `url` goes through, "" for none."""
    proxy = proxy_for(url, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    return str(proxy.url) if proxy else ""


def refusal(url: str = CLAUDE) -> str:
    """What is said where the environment is broken."""
    with pytest.raises(JobExit) as caught:
        proxy_for(url, trusted(url))
    assert caught.value.code == 78 and "\n" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("name", PROXIES)
def test_no_proxy_hears_of_a_request_to_this_machine(claude, monkeypatch, name):
    with eavesdropping() as proxy:
        monkeypatch.setenv(name, proxy.url)
        site = claude()
        site.events(events("2026-11-21", 5))
        assert site.run(labels()).code == 0
        assert site.run(labels(), "--reprocess", "--message-batch").code == 0
        assert not proxy.heard


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "127.0.0.2", "127.1.2.3"]
)
def test_every_name_of_this_machine_is_known(monkeypatch, host):
    for name in PROXIES:
        monkeypatch.setenv(name, "http://proxy.example:3128")
    for scheme in ("http", "https"):
        assert way(f"{scheme}://{host}:8080/prefix") == ""


def test_the_key_is_not_told_to_a_proxy_where_nobody_listens_at_the_loopback_address(
    site, monkeypatch
):
    with eavesdropping() as proxy:
        for name in PROXIES:
            monkeypatch.setenv(name, proxy.url)
        site.events(events("2026-11-21", 5))
        for host in ("127.0.0.1", "localhost", "[::1]", "127.0.0.2"):
            result = site.run(labels(), ANTHROPIC_BASE_URL=f"http://{host}:9")
            assert result.code == 69, result.log
        assert not proxy.heard


def test_any_other_address_is_reached_through_the_proxy_and_the_key_stays_inside_tls(
    site, monkeypatch
):
    with eavesdropping(b"HTTP/1.1 502 Bad Gateway\r\n\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        site.events(events("2026-11-21", 5))
        assert site.run(labels(), ANTHROPIC_BASE_URL="https://claude.invalid").code == 69
        assert (
            proxy.heard.startswith(b"CONNECT claude.invalid:443") and b"sk-ant" not in proxy.heard
        )


@pytest.mark.parametrize(
    ("says", "code"),
    [("407 Proxy Authentication Required", 78), ("403 Forbidden", 78), ("503 Unavailable", 69)],
)
def test_what_a_proxy_says_is_told_and_is_taken_for_nothing_that_was_paid_for(
    site, monkeypatch, says, code
):
    with eavesdropping(f"HTTP/1.1 {says}\r\n\r\n".encode()) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//me:hunter2@"))
        site.events(events("2026-11-21", 5))
        result = site.run(
            labels(), retry=Retry(seconds=1), ANTHROPIC_BASE_URL="https://claude.invalid"
        )
    assert result.code == code, result.log
    assert f"the proxy of HTTPS_PROXY or ALL_PROXY says {says}" in result.log
    assert "hunter2" not in result.log and "sk-ant" not in str(proxy.heard)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HTTPS_PROXY": "http://a:1"}, "http://a:1"),
        ({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1"}, "http://a:1"),
        ({"ALL_PROXY": "a:3128"}, "http://a:3128"),
        ({"HTTPS_PROXY": " http://a:1/ ", "ALL_PROXY": "b"}, "http://a:1/"),
        ({"HTTPS_PROXY": "http://[fd00::1]:3128"}, "http://[fd00::1]:3128"),
        ({"HTTPS_PROXY": "https://a:1"}, "https://a:1"),
        ({"HTTPS_PROXY": "http://user:secret@a:1"}, "http://a:1"),
        ({"HTTPS_PROXY": ""}, ""),
        ({"HTTP_PROXY": "socks5://a:1"}, ""),  # that of plain http: no request goes there
        ({"HTTPS_PROXY": "http://a:1", "ALL_PROXY": "socks5://b:1"}, "http://a:1"),
    ],
)
def test_the_variables_mean_what_they_mean_to_curl(monkeypatch, environ, expected):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert way() == expected


@pytest.mark.parametrize(
    ("exceptions", "url"),
    [
        ("*", CLAUDE),
        ("api.anthropic.com", CLAUDE),
        ("anthropic.com", CLAUDE),
        (".anthropic.com", CLAUDE),
        ("*.anthropic.com", CLAUDE),
        ("other.example, API.Anthropic.com", CLAUDE),
        ("other.example api.anthropic.com", CLAUDE),
        ("api.anthropic.com:443", CLAUDE),
        ("https://api.anthropic.com", CLAUDE),
        ("fd00::/8", "https://[fd00::12]:8443"),
        ("[fd00::12]", "https://[fd00::12]"),
        ("fd00::12,::1", "https://[fd00:0::12]"),
        ("[fd00::12]:8443", "https://[fd00::12]:8443"),
        ("10.0.0.0/8", "https://10.1.2.3"),
    ],
)
def test_what_no_proxy_names_is_reached_without_even_a_broken_proxy(monkeypatch, exceptions, url):
    monkeypatch.setenv("NO_PROXY", exceptions)
    for broken in ("http://proxy.example:3128", "socks5://a:1", "http://a:b"):
        monkeypatch.setenv("HTTPS_PROXY", broken)
        assert way(url) == ""


@pytest.mark.parametrize(
    "exceptions",
    ["", " , ,", "thropic.com", "api.anthropic.com:80", "::1", "[::1]", "[", "fe80::1%eth0", ":443",
     "10.0.0.0/99", "xapi.anthropic.com", "::", "http://[", "[::1", "a:b:c"],
)  # fmt: skip
def test_what_no_proxy_does_not_name_is_reached_through_it(monkeypatch, exceptions):
    monkeypatch.setenv("NO_PROXY", exceptions)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert way() == "http://proxy.example:3128"


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY", "https_proxy"])
@pytest.mark.parametrize(
    "value",
    ["socks5://proxy.example:1080", "socks5h://proxy.example", "socks4://proxy.example", "ftp://a",
     "http://proxy.example:port", "http://", "http:/proxy.example:1", "://", "http://[::1",
     '"http://proxy.example:1"', "http://pro xy:1", "http://a:99999", "http://a:1/path"],
)  # fmt: skip
def test_a_proxy_that_cannot_be_used_ends_the_run_with_78_and_its_name(
    site, monkeypatch, name, value
):
    monkeypatch.setenv(name, value)
    site.events(events("2026-11-21", 5))
    result = site.run(labels(), ANTHROPIC_BASE_URL="https://claude.invalid")
    assert result.code == 78 and "ERROR" in result.log and f"{name}=" in result.log, result.log
    assert "Traceback" not in result.log


@pytest.mark.parametrize(
    "value", ["socks5://me:hunter2@a:1", "me:hunter2@a:b", "http://me:hunter2", "ftp://x:hunter2@"]
)
def test_the_password_of_a_proxy_is_not_told(monkeypatch, value):
    monkeypatch.setenv("HTTPS_PROXY", value)
    assert "hunter2" not in refusal()


def broken(folder: Path, what: str) -> Path:
    """A path in which there is no certificate."""
    path = folder / what
    if what in ("empty", "unhashed", "wrong"):
        path.mkdir()
    if what == "unhashed":
        (path / "ca.pem").write_text("whatever")
    if what == "wrong":
        (path / "0a1b2c3d.0").write_text("no certificate")
    if what == "text":
        path.write_text("these are no certificates")
    if what == "half":
        path.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n")
    if what == "nothing":
        path.touch()
    return path


@pytest.mark.parametrize(
    ("name", "what"),
    [
        *(("SSL_CERT_FILE", what) for what in ("missing", "nothing", "text", "half", "empty")),
        *(("SSL_CERT_DIR", what) for what in ("missing", "text", "empty", "unhashed", "wrong")),
    ],
)
def test_certificates_that_are_none_end_the_run_with_78_and_the_variables_name(
    claude, tmp_path, monkeypatch, name, what
):
    value = broken(tmp_path, what)
    monkeypatch.setenv(name, str(value))
    site = claude()
    site.events(events("2026-11-21", 5))
    result = site.run(labels(), ANTHROPIC_BASE_URL="https://claude.invalid")
    assert result.code == 78 and f"{name}={value}: " in result.log, result.log
    assert "Traceback" not in result.log
    # Plain http needs no certificates.
    assert site.run(labels()).code == 0


@pytest.fixture
def own(tmp_path) -> tuple[Path, ssl.SSLContext]:
    """A folder with a company's own certificate for localhost, and the server side of it."""
    key, certificate = tmp_path / "key.pem", tmp_path / "own" / "certificate.pem"
    certificate.parent.mkdir()
    made = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {certificate} -days 2 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run(made.split(), check=True, capture_output=True)
    subprocess.run(["openssl", "rehash", certificate.parent], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate.parent, context


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate")
def test_a_certificate_of_ones_own_is_trusted_where_a_variable_names_it(site, monkeypatch, own):
    folder, tls = own
    site.events(events("2026-11-21", 5))
    refused = json.dumps({"type": "error", "error": {"type": "permission_error", "message": "m"}})
    answer = f"HTTP/1.1 403 No\r\ncontent-length: {len(refused)}\r\n\r\n{refused}".encode()
    with eavesdropping(answer, tls) as server:
        url = f"https://localhost:{server.port}"
        result = site.run(labels(), ANTHROPIC_BASE_URL=url)
        assert result.code == 78 and not server.heard, result.log
        assert "certificate is not trusted (self-signed certificate)" in result.log
        assert "SSL_CERT_FILE" in result.log and "sent again" not in result.log
        for name, value in (
            ("SSL_CERT_FILE", folder / "certificate.pem"),
            ("SSL_CERT_DIR", folder),
            ("SSL_CERT_DIR", f"/nowhere:{folder}"),
        ):
            monkeypatch.setenv(name, str(value))
            assert site.run(labels(), ANTHROPIC_BASE_URL=url).code == 77
            monkeypatch.delenv(name)
    assert b"GET /v1/models/" in server.heard


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_pipe_in_place_of_certificates_is_not_waited_for(tmp_path, name):
    pipe = tmp_path / "01234567.0"  # as OpenSSL names a certificate in a folder
    os.mkfifo(pipe)
    code = "from common.claude.network import trusted; trusted('https://claude.example')"
    value = str(pipe if name == "SSL_CERT_FILE" else tmp_path)
    try:
        ended = python(code, **{name: value})
    finally:
        pipe.unlink()
    assert name in ended.stderr and "JobExit" in ended.stderr
