"""https: the certificate is checked against the name in the address, wherever the connection was
made to.
"""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from pages.page import fetch


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate")
def test_a_certificate_that_nobody_vouches_for_is_refused_after_the_name_was_asked_for(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {certificate} -days 2 "
        "-subj /CN=tea.example"
    )
    subprocess.run(made.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    names: list[str | None] = []
    context.sni_callback = lambda _, name, __: names.append(name)

    def serve() -> None:
        connection, _ = server.accept()
        with pytest.raises(ssl.SSLError), connection:
            context.wrap_socket(connection, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        thread = threading.Thread(target=serve)
        thread.start()
        found = fetch(
            f"https://tea.example:{port}/",
            seconds=30,
            ports=frozenset({port}),
            allowed=lambda _: True,
            resolve=lambda *_: ["127.0.0.1"],
        )
        thread.join()
    assert found.error == "its certificate is not trusted"
    assert names == ["tea.example"]
