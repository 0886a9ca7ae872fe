"""The errors of Turbolens, each also the builtin of its meaning.

TurbolensError
 ├─ SettingsError (ValueError)            a setting is unknown or out of range
 ├─ FrameError (ValueError)               a frame cannot be filtered: size, format, type
 ├─ ModelError (RuntimeError)             a model cannot be loaded or run
 │   ├─ ModelNotFoundError (FileNotFoundError)   no such model, folder or file
 │   ├─ UnsupportedModelError (NotImplementedError)   a model of a family that is not known here
 │   ├─ NotEnoughMemoryError (MemoryError)       the device cannot hold it
 │   ├─ LicenceError (PermissionError)           its licence has not been accepted
 │   └─ DownloadError (ConnectionError)          the hub or the disk does not let it come
 ├─ MediaError (OSError)                  a file, device or stream cannot be read or written
 └─ PeerError (ConnectionError)           a peer asks for what it cannot have
     ├─ OfferError (ValueError)               its session description cannot be answered
     ├─ UnsupportedOfferError (NotImplementedError)   it is sound, but nothing in it is in common
     ├─ NoSuchSessionError (LookupError)      nothing of that name is there
     ├─ NameTakenError (FileExistsError)      somebody else has that name
     └─ UnavailableError (BlockingIOError)    not now: the server is full, or the model loads

Every message says what must hold, what was given, and what to do.
"""


class TurbolensError(Exception):
    """The base of all errors that Turbolens raises on purpose."""


class SettingsError(TurbolensError, ValueError):
    """A setting is unknown or out of range."""


class FrameError(TurbolensError, ValueError):
    """A frame cannot be filtered: its size, format or type is not supported."""


class ModelError(TurbolensError, RuntimeError):
    """A model cannot be loaded or run."""


class ModelNotFoundError(ModelError, FileNotFoundError):
    """No model, folder or file of that name."""


class UnsupportedModelError(ModelError, NotImplementedError):
    """The model belongs to a family, or uses a feature, that is not supported."""


class NotEnoughMemoryError(ModelError, MemoryError):
    """The device has not the memory that the model needs; said before anything is loaded."""


class LicenceError(ModelError, PermissionError):
    """The model's licence has not been accepted."""


class DownloadError(ModelError, ConnectionError):
    """A model cannot be downloaded: no answer, a refusal, damage on the way, or a full disk."""


class MediaError(TurbolensError, OSError):
    """A file, device or stream cannot be read or written."""


class PeerError(TurbolensError, ConnectionError):
    """A peer asks for what it cannot have."""


class OfferError(PeerError, ValueError):
    """A session description is malformed, or lacks what an answer needs."""


class UnsupportedOfferError(PeerError, NotImplementedError):
    """A session description is sound, but no codec in it is known here."""


class NoSuchSessionError(PeerError, LookupError):
    """No session or stream of that name."""


class NameTakenError(PeerError, FileExistsError):
    """A stream of that name is being published by somebody else."""


class UnavailableError(PeerError, BlockingIOError):
    """Not now: the server is full, closing, or its model is not loaded yet."""
