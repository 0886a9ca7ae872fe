"""What a ticket of a front door allows at a server, and what it does not."""

from dataclasses import dataclass, field

import pytest
from yarl import URL

from tests.pipelines.webrtc.conftest import Client, asynchronous, serving
from turbolens.pipelines.webrtc.server.tickets import LIFETIME, QUERY, Tickets, signed_ticket

KEY, TOKEN = b"the key of a test", "a-token-of-this-test"
FRONT = "front.example:8080"
PATH = "/api/schema"


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Front:
    """Signs tickets as the front door does."""

    clock: Clock = field(default_factory=Clock)

    @property
    def tickets(self) -> Tickets:
        return Tickets(KEY, self.clock)

    def url(
        self, path: str = PATH, method: str = "GET", *, origin: str = FRONT, key: bytes = KEY
    ) -> URL:
        text, _ = signed_ticket(key, method, path, origin=origin, now=self.clock())
        return URL(path).update_query({QUERY: text})


async def status(client: Client, url: URL, **headers: str) -> int:
    async with client.get(url, headers=headers) as response:
        return response.status


@asynchronous
async def test_it_stands_for_the_token_once() -> None:
    front = Front()
    async with serving(token=TOKEN, tickets=front.tickets) as (client, _):
        url = front.url()
        assert await status(client, url) == 200
        async with client.get(url) as response:
            assert response.status == 503  # a client asks the front door again
            assert response.headers["Retry-After"].isdecimal()
        assert await status(client, URL(PATH)) == 401


@pytest.mark.parametrize("wrong", ["key", "method", "path", "origin", "text", "long", "letters"])
@asynchronous
async def test_another_one_is_worth_nothing(wrong: str) -> None:
    front = Front()
    urls = {
        "key": front.url(key=b"another key"),
        "method": front.url(method="POST"),
        "path": front.url("/api/looks").with_path(PATH, keep_query=True),
        "origin": URL(str(front.url()).replace(".", ".A", 2)),
        "text": URL(PATH).update_query({QUERY: "a.b.c.d"}),
        "long": URL(PATH).update_query({QUERY: "a." * 300}),
        "letters": URL(PATH).update_query({QUERY: "ä.ö.ü.é"}),
    }
    async with serving(token=TOKEN, tickets=front.tickets) as (client, _):
        assert await status(client, urls[wrong]) == 401


@asynchronous
async def test_it_expires() -> None:
    front = Front()
    async with serving(token=TOKEN, tickets=front.tickets) as (client, _):
        url = front.url()
        front.clock.now += LIFETIME + 1
        assert await status(client, url) == 503
        page = {"Origin": f"https://{FRONT}"}
        async with client.get(url, headers=page) as response:
            assert response.status == 503
            assert response.headers["Access-Control-Allow-Origin"] == page["Origin"]


@asynchronous
async def test_it_means_nothing_to_a_server_without_a_front_door() -> None:
    async with serving(token=TOKEN) as (client, _):
        assert await status(client, Front().url()) == 401


@pytest.mark.parametrize(
    ("signed", "sent", "answer"),
    [
        (FRONT, f"https://{FRONT}", 200),
        (FRONT, f"https://{FRONT.upper()}", 200),
        (FRONT, "https://evil.example", 403),
        (FRONT, "null", 403),
        ("null", "null", 200),
        ("null", f"https://{FRONT}", 403),
    ],
)
@asynchronous
async def test_it_names_the_page_that_may_use_it(signed: str, sent: str, answer: int) -> None:
    front = Front()
    async with serving(token=TOKEN, tickets=front.tickets) as (client, _):
        asked = {"Origin": sent, "Access-Control-Request-Method": "GET"}
        async with client.options(front.url(origin=signed), headers=asked) as response:
            assert (response.status == 204) == (answer == 200)
        async with client.get(front.url(origin=signed), headers={"Origin": sent}) as response:
            assert response.status == answer
            allowed = response.headers.get("Access-Control-Allow-Origin")
            assert allowed == (sent if answer == 200 else None)
            assert "Origin" in response.headers.get("Vary", "") or answer != 200


def test_a_request_is_done_once_it_is_answered_and_forgotten_when_it_has_expired() -> None:
    clock = Clock()
    tickets = Tickets(KEY, clock)
    text, issued = signed_ticket(KEY, "GET", PATH, origin=FRONT, now=clock())
    read = tickets.read(text, "GET", PATH)
    assert read == issued
    tickets.use(read)
    assert tickets.done == frozenset()
    tickets.finish(read)
    assert tickets.done == {issued.id}
    clock.now += LIFETIME + 1
    assert tickets.done == frozenset()
    assert not tickets.is_fresh(read)
