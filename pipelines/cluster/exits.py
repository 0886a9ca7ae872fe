"""Why a worker has ended, which Ray does not tell the driver of an actor that it restarts."""

from importlib import import_module
from typing import Any


def has_run_out_of_memory(ray: Any, node_id: str, process: int | None) -> bool:
    """True if Ray has ended this process because its node was low on memory.

    ray: the connected module. process: its number on its node. False if it cannot be known: the
    table of workers is no public part of Ray, and other versions may not have it.
    """
    try:
        state = import_module(f"{ray.__name__}._private.state").state
        messages = import_module(f"{ray.__name__}.core.generated.gcs_pb2")
        kinds = import_module(f"{ray.__name__}.core.generated.common_pb2").WorkerExitType
        table = state._connect_and_get_accessor().get_worker_table()
        workers = [messages.WorkerTableData.FromString(each) for each in table]
        return any(
            each.exit_type == kinds.Value("NODE_OUT_OF_MEMORY")
            for each in workers
            if not each.is_alive
            and each.pid == process
            and each.worker_address.node_id.hex() == node_id
        )
    except (ImportError, AttributeError, ValueError):
        return False
