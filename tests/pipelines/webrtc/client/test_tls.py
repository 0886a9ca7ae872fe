"""How a client recognises its server, and one line for everything that keeps it from connecting."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.pipelines.webrtc.client.server_thread import CAMERA_LUMA, ServerThread, sending
from turbolens.filter import FilterSettings, MediaError, SettingsError
from turbolens.pipelines.webrtc.client.errors import ServerError
from turbolens.pipelines.webrtc.client.known_servers import KnownServers
from turbolens.pipelines.webrtc.client.options import ClientOptions, ServerAddress, parse_server
from turbolens.pipelines.webrtc.peer.certificate import self_signed

TOKEN = "a-token-of-a-test"  # noqa: S105 - of no other server
HALF = FilterSettings(strength=0.5)


@contextmanager
def secure_server(port: int = 0) -> Iterator[tuple[ServerThread, str]]:
    """A server with a self-signed certificate, and the fingerprint of its key."""
    pem, fingerprint = self_signed("localhost")
    with ServerThread(tls=pem.context(), token=TOKEN, port=port) as server:
        yield server, fingerprint


def refused(options: ClientOptions) -> str:
    """The one line of the error."""
    with pytest.raises(ServerError) as caught, sending(options):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_self_signed_key_is_shown_once_and_remembered(configuration: Path) -> None:
    with secure_server() as (server, fingerprint):
        with sending(server.client(token=TOKEN), HALF) as (_, found):
            found.sees(CAMERA_LUMA / 2)
            assert sum(fingerprint in notice for notice in found.notices) == 1
        known = (configuration / "known_servers").read_text()
        assert known == f"127.0.0.1:{server.port} {fingerprint}\n"
        with sending(server.client(token=TOKEN)) as (_, found):
            found.told("connected")
            assert not any(fingerprint in notice for notice in found.notices)


def test_a_server_with_a_new_certificate_and_its_old_key_is_the_same_server() -> None:
    with secure_server() as (server, _), sending(server.client(token=TOKEN)) as (_, found):
        found.told("connected")
        server.__exit__()
        with secure_server(server.port):
            found.told("connected again")


def test_a_changed_key_is_refused_before_the_token_is_sent(configuration: Path) -> None:
    with secure_server() as (server, first), sending(server.client(token=TOKEN)) as (_, found):
        found.told("connected")
        server.__exit__()
        (configuration / "server-key.pem").unlink()
        with secure_server(server.port) as (_, second):
            found.told("has changed")  # the call goes on, and shows the slate
            text = refused(server.client(token=TOKEN))
            assert first in text
            assert second in text
            assert str(configuration / "known_servers") in text


def test_a_given_fingerprint_is_required_at_first_contact(configuration: Path) -> None:
    with secure_server() as (server, fingerprint):
        wrong = f"SHA256:{'A' * 43}"
        assert "must have the fingerprint" in refused(server.client(token=TOKEN, fingerprint=wrong))
        with sending(server.client(token=TOKEN, fingerprint=fingerprint)) as (_, found):
            found.told("connected")
        assert not (configuration / "known_servers").exists()


@pytest.mark.parametrize("token", [None, "another-token"])
def test_a_wrong_token_is_refused_with_what_to_do(token: str | None) -> None:
    with secure_server() as (server, _):
        assert "--token" in refused(server.client(token=token))


def test_nobody_there_is_one_line(port: int) -> None:
    for secure in (True, False):
        address = ServerAddress("127.0.0.1", port, secure)
        assert "cannot reach 127.0.0.1" in refused(ClientOptions(address))
    unknown = ServerAddress("no-such-host.invalid", 8443)
    assert "cannot reach no-such-host.invalid:8443" in refused(ClientOptions(unknown))


def test_a_server_with_https_only_is_told_apart(configuration: Path) -> None:
    with secure_server() as (server, _):
        plain = ClientOptions(ServerAddress("127.0.0.1", server.port, secure=False))
        assert f"https://127.0.0.1:{server.port}" in refused(plain)


def test_a_server_without_https_is_told_apart() -> None:
    with ServerThread() as server:
        assert "--tls-self-signed" in refused(
            ClientOptions(ServerAddress("127.0.0.1", server.port))
        )


def test_http_to_an_https_server_is_one_line() -> None:
    with secure_server() as (server, _):
        refused(ClientOptions(ServerAddress("127.0.0.1", server.port, secure=False)))


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", b"SSH-2.0-OpenSSH\r\n", b""],
)
def test_something_else_at_that_port_is_one_line(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):  # until the socket is closed
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(answer)

        Thread(target=serve, daemon=True).start()
        address = ServerAddress("127.0.0.1", listening.getsockname()[1], secure=False)
        refused(ClientOptions(address))


def test_a_file_of_keys_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="cannot read the keys"):
        KnownServers(tmp_path).fingerprint("a:1")
    (tmp_path / "file").write_text("")
    with pytest.raises(MediaError, match="cannot remember"):
        KnownServers(tmp_path / "file" / "known").remember("a:1", "SHA256:x")


def test_lines_of_other_kinds_are_ignored(tmp_path: Path) -> None:
    file = tmp_path / "known"
    file.write_text("# a comment\n\nhalf\n[::1]:8443 SHA256:b\nhost:1 SHA256:a\n")
    known = KnownServers(file)
    assert (known.fingerprint("[::1]:8443"), known.fingerprint("half")) == ("SHA256:b", None)


@pytest.mark.parametrize(
    ("text", "url", "token"),
    [
        ("https://gpu.example.org:8443", "https://gpu.example.org:8443", None),
        ("https://gpu.example.org/filter/", "https://gpu.example.org:443/filter", None),
        ("https://[2001:db8::1]:8443/#token=abc", "https://[2001:db8::1]:8443", "abc"),
        ("http://localhost:8080", "http://localhost:8080", None),
        ("http://127.0.0.1", "http://127.0.0.1:80", None),
    ],
)
def test_a_url_or_a_printed_link_names_the_server(text: str, url: str, token: Any) -> None:
    address, found = parse_server(text)
    assert (address.url, found) == (url, token)


@pytest.mark.parametrize(
    "text", ["gpu:8443", "ftp://a", "https://", "https://a:b", "https://a?b=c"]
)
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="https://HOST:8443"):
        parse_server(text)


def test_another_machine_needs_https() -> None:
    with pytest.raises(SettingsError, match="--tls-self-signed"):
        parse_server("http://192.0.2.7:8080")


def test_a_certificate_of_a_known_authority_needs_no_pin(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, configuration: Path
) -> None:
    pem, fingerprint = self_signed("localhost")
    with ServerThread(tls=pem.context()) as server:
        authority = ssl.get_server_certificate(("127.0.0.1", server.port))
        (tmp_path / "authorities.pem").write_text(authority)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authorities.pem"))
        with sending(server.client()) as (_, found):
            found.told("connected")
            assert not any(fingerprint in notice for notice in found.notices)
    assert not (configuration / "known_servers").exists()
