"""Why a file cannot be reached, for people: permission, a broken link, a file that is gone."""

import errno
import os
from pathlib import Path


def os_reason(error: OSError) -> str:
    """Return the reason for which a file cannot be used, for people."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return "permission denied: make the file readable for your user"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "the file is no longer there"
    if error.errno == errno.ELOOP:
        return "is a link that leads back to itself"
    return f"cannot be read ({os.strerror(error.errno) if error.errno else error})"


def link_reason(path: Path, error: OSError) -> str:
    """Return the reason for which a file cannot be used, also where it is a link that leads nowhere."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR) and path.is_symlink():
        return "is a link to a file that is not there"
    return os_reason(error)
