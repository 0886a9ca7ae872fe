"""`Placement`: chooses the replica of a request."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from turbolens.filter import NoSuchSessionError, UnavailableError

from .replica_handle import ReplicaHandle

MANY_NAMES = 4096


class Placement:
    """Chooses among the replicas that `replicas` returns."""

    def __init__(self, replicas: Callable[[], Sequence[ReplicaHandle]]) -> None:
        self._replicas = replicas
        self._names: OrderedDict[str, str] = OrderedDict()
        self.refused = 0
        """How many sessions found no room."""

    def for_new(self, kind: str, name: str = "") -> ReplicaHandle:
        """The replica of a session that is filtered: of its name, or the least loaded one.

        A name goes where it is published, or where it was the last time. Raises `UnavailableError`
        if that one, or every one, is full.
        """
        chosen = self._of_name(name, kind) or self._least_loaded(kind)
        if name:
            self._names[name] = chosen.name
            self._names.move_to_end(name)
            if len(self._names) > MANY_NAMES:
                self._names.popitem(last=False)
        return chosen

    def for_playing(self, name: str) -> ReplicaHandle:
        """The replica that publishes this name. Raises `NoSuchSessionError`, `UnavailableError`."""
        found = [each for each in self._replicas() if each.publishes(name)]
        if not found:
            raise NoSuchSessionError(
                f"nothing is published as {name!r} now; publish first, then play"
            )
        able = [each for each in found if each.has_room("whep")]
        if not able:
            self.refused += 1
            raise UnavailableError(
                f"the replica that publishes {name!r} takes no more sessions; try again later"
            )
        return able[0]

    def of_session(self, identity: str) -> ReplicaHandle:
        """The replica of an open session. Raises `NoSuchSessionError`."""
        for replica in self._replicas():
            if any(each.id == identity for each in replica.sessions):
                return replica
        raise NoSuchSessionError("there is no such session, or it has ended")

    def any(self) -> ReplicaHandle:
        """One that answers questions about the model. Raises `UnavailableError`."""
        able = [each for each in self._replicas() if each.status is not None]
        if not able:
            raise UnavailableError("no replica has started yet; try again later")
        return min(able, key=lambda each: (each.state != "ready", each.load))

    def _of_name(self, name: str, kind: str) -> ReplicaHandle | None:
        if not name:
            return None
        replicas = [each for each in self._replicas() if each.state == "ready"]
        publishing = next((each for each in replicas if each.publishes(name)), None)
        if publishing is not None:
            return publishing  # it answers that the name is taken
        last = self._names.get(name)
        return next((each for each in replicas if each.name == last and each.has_room(kind)), None)

    def _least_loaded(self, kind: str) -> ReplicaHandle:
        able = [each for each in self._replicas() if each.has_room(kind)]
        if able:
            return min(able, key=lambda each: each.load)
        self.refused += 1
        ready = [each for each in self._replicas() if each.state == "ready"]
        if not ready:
            raise UnavailableError("no replica is ready; try again later")
        total = sum(each.capacity for each in ready)
        raise UnavailableError(f"the cluster is full: it takes {total} sessions; try again later")
