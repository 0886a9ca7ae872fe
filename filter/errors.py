"""The errors of Turbolens, each also the builtin of its meaning.

TurbolensError
 ├─ SettingsError (ValueError)            a setting is unknown or out of range
 ├─ FrameError (ValueError)               a frame cannot be filtered: size, format, type
 ├─ ModelError (RuntimeError)             a model cannot be loaded or run
 │   ├─ ModelNotFoundError (FileNotFoundError)   no such model, folder or file
 │   ├─ UnsupportedModelError (NotImplementedError)   its family or a feature is not supported
 │   ├─ NotEnoughMemoryError (MemoryError)       not enough device memory
 │   ├─ LicenceError (PermissionError)           its licence has not been accepted
 │   └─ DownloadError (ConnectionError)          the download failed
 ├─ MediaError (OSError)                  a file, device or stream cannot be read or written
 └─ PeerError (ConnectionError)           a request of a peer cannot be met
     ├─ OfferError (ValueError)               its session description is not valid
     ├─ UnsupportedOfferError (NotImplementedError)   no codec in common
     ├─ NoSuchSessionError (LookupError)      no session or stream of that name
     ├─ NameTakenError (FileExistsError)      the name is in use
     └─ UnavailableError (BlockingIOError)    the server is full, or still loading its model

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
    """Not enough device memory for the model. Raised before anything is loaded."""


class LicenceError(ModelError, PermissionError):
    """The model's licence has not been accepted."""


class DownloadError(ModelError, ConnectionError):
    """A model cannot be downloaded: no answer, a refusal, damaged data, or a full disk."""


class MediaError(TurbolensError, OSError):
    """A file, device or stream cannot be read or written."""


class PeerError(TurbolensError, ConnectionError):
    """A request of a peer cannot be met."""


class OfferError(PeerError, ValueError):
    """A session description is malformed or incomplete."""


class UnsupportedOfferError(PeerError, NotImplementedError):
    """A session description is valid, but has no supported codec."""


class NoSuchSessionError(PeerError, LookupError):
    """No session or stream of that name."""


class NameTakenError(PeerError, FileExistsError):
    """A stream of that name is already being published."""


class UnavailableError(PeerError, BlockingIOError):
    """The server is full, closing, or still loading its model."""
