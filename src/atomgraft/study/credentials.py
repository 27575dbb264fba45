"""TLS credentials of a Dask scheduler, temporary or given by the user.

Whoever reaches a scheduler or a worker without TLS can run code as its owner.
"""

import dataclasses
import importlib
from pathlib import Path
from typing import Any

from atomgraft.core.errors import BadInputError
from atomgraft.core.storage import is_file

ENCRYPTED = "tls://"
"""How the address of a scheduler begins that encrypts and authenticates."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Credentials:
    """Files that prove to a scheduler who asks, in PEM format.

    Parameters
    ----------
    ca_file
        Certificate of the authority that signed the scheduler's.
    cert
        Certificate of this client.
    key
        Private key of that certificate.
    """

    ca_file: Path
    cert: Path
    key: Path


def parse_credentials(
    ca_file: Path | None, cert: Path | None, key: Path | None
) -> Credentials | None:
    """Return the credentials named on the command line, or none if none were.

    Parameters
    ----------
    ca_file, cert, key
        As for `Credentials`.

    Raises
    ------
    BadInputError
        One is missing, or is no file.

    Examples
    --------
    >>> parse_credentials(None, None, None) is None
    True
    """
    given = {"--tls-ca-file": ca_file, "--tls-cert": cert, "--tls-key": key}
    if not any(given.values()):
        return None
    if ca_file is None or cert is None or key is None:
        lacking = [name for name, path in given.items() if path is None]
        raise BadInputError(
            f"The TLS credentials lack {' and '.join(lacking)}.",
            "A certificate authority, a certificate and its key are needed together.",
            "Give all three files: --tls-ca-file, --tls-cert and --tls-key.",
        )
    for name, path in given.items():
        if path is not None and not is_file(path):
            raise BadInputError(
                f"{name} {path} is not a file.",
                "Expected a PEM file, as for 'dask scheduler'.",
                "Check the path.",
            )
    return Credentials(ca_file=ca_file, cert=cert, key=key)


def client_security(address: str, credentials: Credentials | None) -> Any:  # noqa: ANN401
    """Return what a client shows to a scheduler that runs already.

    Parameters
    ----------
    address
        Of the scheduler.
    credentials
        The user's own; none takes what Dask's configuration names.

    Raises
    ------
    BadInputError
        Credentials and address do not go together, or cannot be used.
    """
    is_encrypted = address.startswith(ENCRYPTED)
    if credentials is not None and not is_encrypted:
        raise BadInputError(
            f"TLS credentials were given, and {address} does not use TLS.",
            f"The address of such a scheduler begins with {ENCRYPTED}",
            "Start the scheduler with --tls-ca-file, --tls-cert and --tls-key, and "
            f"give its {ENCRYPTED} address.",
        )
    security = _security(credentials)
    if is_encrypted and not _is_usable(security):
        raise BadInputError(
            f"{address} asks for TLS credentials that are missing or cannot be read.",
            "Expected a certificate authority, a certificate and its key, as PEM "
            "files.",
            "Give --tls-ca-file, --tls-cert and --tls-key, or name the files in "
            "Dask's configuration (distributed.comm.tls).",
        )
    return security


def _security(credentials: Credentials | None) -> Any:  # noqa: ANN401
    security: Any = importlib.import_module("distributed").Security
    if credentials is None:
        return security()
    return security(
        require_encryption=True,
        tls_ca_file=str(credentials.ca_file),
        tls_client_cert=str(credentials.cert),
        tls_client_key=str(credentials.key),
    )


def _is_usable(security: Any) -> bool:  # noqa: ANN401
    try:
        return security.get_connection_args("client").get("ssl_context") is not None
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        return False


def exposure(address: str) -> str | None:
    """Return a warning where everybody who reaches a scheduler can use it.

    Parameters
    ----------
    address
        Of the scheduler.

    Examples
    --------
    >>> exposure("tls://node7:8786") is None
    True
    """
    if address.startswith(ENCRYPTED):
        return None
    return (
        f"The scheduler {address} does not use TLS: anybody who reaches its port, or "
        "that of a worker, can run code as you. Start scheduler and workers with "
        "--tls-ca-file, --tls-cert and --tls-key, and give the same files here with "
        f"the scheduler's {ENCRYPTED} address."
    )
