"""Which replica a session goes to, by what the front door knows of them."""

from dataclasses import replace
from typing import Any

import pytest

from turbolens.filter import MediaError, NoSuchSessionError, UnavailableError
from turbolens.pipelines.cluster.live.addresses import (
    ALL_INTERFACES,
    AddressPlan,
    OutsideNames,
    ReplicaAddress,
    free_slot,
    replica_name,
)
from turbolens.pipelines.cluster.live.cost import FrameCost, capacity
from turbolens.pipelines.cluster.live.placement import Placement
from turbolens.pipelines.cluster.live.replica import OpenSession, ReplicaStatus
from turbolens.pipelines.cluster.live.replica_handle import PENDING_SECONDS, ReplicaHandle
from turbolens.pipelines.cluster.nodes import Node
from turbolens.pipelines.webrtc import Limits

NODE = Node("1", "gpu a", {"GPU": 2.0}, "10.0.0.5")
ADDRESS = ReplicaAddress("127.0.0.1", 0, None, None, None)
NOW = 1000.0


class Replicas:
    """Replicas that are ready, each with these sessions: (kind, name)."""

    def __init__(self, *sessions: list[tuple[str, str]], limit: int = 4, seconds: float = 0.0):
        self.now = NOW
        self.all = [ReplicaHandle(f"r{number}", NODE, number, ADDRESS, Limits(sessions=limit),
                                  10.0, clock=lambda: self.now)
                    for number in range(len(sessions))]  # fmt: skip
        for replica, open_ones in zip(self.all, sessions, strict=True):
            found = tuple(OpenSession(f"{replica.name}-{number}", kind, name)
                          for number, (kind, name) in enumerate(open_ones))  # fmt: skip
            replica.heard(ReplicaStatus("i", 1, model={"state": "ready"}, sessions=found,
                                        frame_seconds=seconds or None))  # fmt: skip
        self.placement = Placement(lambda: self.all)

    def send(self, name: str = "", kind: str = "browser") -> str:
        """Place a session. Returns the name of its replica."""
        replica = self.placement.for_new(kind, name)
        _, ticket = replica.ticket("POST", "/", "")
        replica.expect(ticket, kind, name)
        return replica.name


def change(replica: ReplicaHandle, **changes: Any) -> None:
    assert replica.status is not None
    replica.heard(replace(replica.status, **changes))


ONE = [("browser", "")]


def test_the_least_loaded_replica_is_chosen_counting_those_on_their_way() -> None:
    replicas = Replicas(ONE * 2, ONE, [])
    assert [replicas.send() for _ in range(4)] == ["r2", "r1", "r2", "r0"]


def test_a_session_that_never_comes_is_forgotten() -> None:
    replicas = Replicas([], limit=1)
    replicas.send()
    with pytest.raises(UnavailableError, match="full"):
        replicas.send()
    replicas.now += PENDING_SECONDS + 1
    assert replicas.send() == "r0"


def test_a_session_that_has_come_is_counted_once() -> None:
    replicas = Replicas([], limit=2)
    (replica,) = replicas.all
    _, ticket = replica.ticket("POST", "/", "")
    replica.expect(ticket, "browser", "")
    assert replica.load == 0.5
    change(replica, sessions=(OpenSession("x", "browser", ""),), done_tickets={ticket.id})
    assert replica.load == 0.5


def test_capacity_is_what_the_measured_cost_allows() -> None:
    assert capacity(None, min_fps=10, limit=8) == 8
    assert capacity(0.03, min_fps=10, limit=8) == 3
    assert capacity(0.5, min_fps=10, limit=8) == 1
    assert capacity(0.0, min_fps=10, limit=8) == 8
    replicas = Replicas(ONE, ONE * 2, seconds=0.03)
    assert [replicas.send() for _ in range(3)] == ["r0", "r0", "r1"]
    with pytest.raises(UnavailableError, match="it takes 6 sessions"):
        replicas.send()
    assert replicas.placement.refused == 1


def test_players_count_only_for_the_limit() -> None:
    replicas = Replicas([("whip", "a"), ("whep", "a"), ("whep", "a")], seconds=0.1)
    (replica,) = replicas.all
    assert (replica.load, replica.capacity) == (1.0, 1)
    assert replicas.placement.for_playing("a") is replica
    change(replica, sessions=(*replica.sessions, OpenSession("x", "whep", "a")))
    with pytest.raises(UnavailableError, match="takes no more"):
        replicas.placement.for_playing("a")


def test_a_name_goes_to_the_same_replica_again_while_that_has_room() -> None:
    replicas = Replicas(ONE * 2, [], [])
    assert replicas.send("studio") == "r1"
    replicas.now += PENDING_SECONDS + 1
    change(replicas.all[1], sessions=tuple(OpenSession(str(n), *ONE[0]) for n in range(3)))
    assert replicas.send("studio") == "r1"
    replicas.now += PENDING_SECONDS + 1
    change(replicas.all[1], sessions=tuple(OpenSession(str(n), *ONE[0]) for n in range(4)))
    assert replicas.send("studio") == "r2"
    change(replicas.all[1], sessions=())
    assert replicas.send("studio") == "r2"


def test_a_name_that_is_published_goes_there_even_if_it_is_full() -> None:
    replicas = Replicas([("whip", "a")], [], limit=1)
    assert replicas.send("a", "whip") == "r0"  # which says that the name is taken
    assert replicas.send("b", "whip") == "r1"


def test_a_name_on_a_replica_that_drains_goes_elsewhere() -> None:
    replicas = Replicas([("whip", "a")], [])
    replicas.all[0].is_draining = True
    assert replicas.send("a", "whip") == "r1"
    assert replicas.placement.for_playing("a").name == "r1"


def test_a_player_of_a_draining_replica_waits_and_one_of_nobody_is_told() -> None:
    replicas = Replicas([("whip", "a")])
    replicas.all[0].is_draining = True
    with pytest.raises(UnavailableError):
        replicas.placement.for_playing("a")
    with pytest.raises(NoSuchSessionError, match="'b'"):
        replicas.placement.for_playing("b")


def test_a_lost_replica_gets_nothing_and_its_sessions_are_gone() -> None:
    replicas = Replicas(ONE, ONE * 3)
    replicas.all[0].lost()
    assert replicas.send() == "r1"
    assert replicas.all[0].state == "lost"
    with pytest.raises(NoSuchSessionError):
        replicas.placement.of_session("r0-0")
    assert replicas.placement.of_session("r1-2").name == "r1"
    replicas.all[1].lost()
    with pytest.raises(UnavailableError, match="no replica"):
        replicas.placement.any()


def test_the_cost_is_of_the_last_seconds_with_frames() -> None:
    cost = FrameCost()
    assert cost.seconds(None) is None
    cost.add(0, 0.0, 0)
    assert cost.seconds(0.25) == 0.25
    for second in range(1, 30):
        cost.add(second, 0.5 * second, 10 * second)  # 50 ms a frame
    cost.add(30, 14.5, 290)  # nothing was filtered
    assert cost.seconds(0.25) == pytest.approx(0.05)
    for second in range(31, 50):
        cost.add(second, 14.5 + (second - 30) * 0.2, 290 + 20 * (second - 30))
    assert cost.seconds(0.25) == pytest.approx(0.01)


def plan(**changes: Any) -> AddressPlan:
    return replace(AddressPlan("127.0.0.1", "10.0.0.1", 8081), **changes)


def test_a_replica_on_another_machine_is_reached_at_its_address_in_the_cluster() -> None:
    address = plan().address(NODE, 1)
    assert (address.host, address.port, address.outside) == (ALL_INTERFACES, 8082, "10.0.0.5")
    assert address.public_ip is None
    assert address.origin(secure=True, port=8082, front_host="x") == "https://10.0.0.5:8082"


def test_a_replica_beside_the_front_door_is_reached_as_that_is() -> None:
    address = plan(own_address=NODE.address).address(NODE, 0)
    assert (address.host, address.outside) == ("127.0.0.1", None)
    assert address.origin(secure=False, port=9, front_host="::1") == "http://[::1]:9"


def test_a_machine_may_have_another_name_outside() -> None:
    names = OutsideNames({"gpu a": "203.0.113.9"}, "{node}.example.org")
    assert plan(names=names).address(NODE, 0).public_ip == "203.0.113.9"
    other = plan(names=names).address(replace(NODE, name="b"), 0)
    assert (other.outside, other.public_ip) == ("b.example.org", None)


def test_replicas_of_a_machine_share_its_udp_ports() -> None:
    shared = plan(udp_ports=(40000, 40099), udp_per_replica=32)
    assert [shared.address(NODE, slot).udp_ports for slot in range(3)] == [
        (40000, 40031), (40032, 40063), (40064, 40095),
    ]  # fmt: skip
    with pytest.raises(MediaError, match="128 ports for 4 replicas on a machine, got 100"):
        shared.address(NODE, 3)
    with pytest.raises(MediaError, match="--replica-port"):
        plan(first_port=65535).address(NODE, 1)


def test_slots_and_names() -> None:
    assert [free_slot(used) for used in (set(), {0, 1}, {1})] == [0, 2, 0]
    assert replica_name(replace(NODE, name="10.0.0.5 (ab12cd)"), 2) == "10.0.0.5-ab12cd-2"
