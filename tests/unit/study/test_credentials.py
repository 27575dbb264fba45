"""Nobody without the credentials reaches what runs a campaign's cells."""

import urllib.error
import urllib.request

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.study.cells import Cell, run_campaign
from atomgraft.study.clusters import ClusterPlan, Workers, opened
from atomgraft.study.credentials import (
    client_security,
    exposure,
    parse_credentials,
)

distributed = pytest.importorskip("distributed")
Client, LocalCluster = distributed.Client, distributed.LocalCluster
Security = distributed.Security

WAIT = 5.0
"""Seconds after which a stranger gives up; a friend is let in within one."""


def square(folder, payload):
    return {"square": payload["number"] ** 2}


@pytest.fixture(scope="module")
def local():
    with opened(ClusterPlan(), n_workers=1) as client:
        yield client


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """PEM files as a user makes them for 'dask scheduler'."""
    folder, made = tmp_path_factory.mktemp("tls"), Security.temporary()
    parts = {
        "ca_file": made.tls_ca_file,
        "cert": made.tls_client_cert,
        "key": made.tls_client_key,
    }
    for name, text in parts.items():
        (folder / name).write_text(text)
    return {name: folder / name for name in parts}


def test_a_local_cluster_lets_its_own_client_in(local):
    address = local.scheduler.address
    assert address.startswith("tls://127.0.0.1:")
    assert all(worker.startswith("tls://") for worker in local.nthreads())
    with Client(
        address, security=local.security, timeout=WAIT, set_as_default=False
    ) as friend:
        assert friend.submit(sum, (1, 2)).result(WAIT) == 3


@pytest.mark.parametrize("kind", ["without", "with others"])
def test_a_client_without_the_credentials_is_refused(kind, local):
    address = local.scheduler.address
    if kind == "without":
        address, security = address.replace("tls://", "tcp://"), None
    else:
        security = Security.temporary()
    with pytest.raises(OSError, match=r"[Tt]imed out|reset by peer|does not match"):
        Client(address, security=security, timeout=WAIT, set_as_default=False)
    assert local.submit(abs, -1).result(WAIT) == 1  # the others go on


def test_no_page_is_served(local):
    links = [local.cluster.scheduler.http_server, *_worker_ports(local)]
    ports = [links[0].port, *links[1:]]
    for port in ports:
        for page in ("", "status", "info/main/workers.html", "metrics", "health"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=WAIT)


def _worker_ports(client):
    def port(dask_worker):
        return dask_worker.http_server.port

    return list(client.run(port).values())


@pytest.mark.slow
def test_a_scheduler_with_tls_takes_the_users_own_files(files, tmp_path):
    security = client_security("tls://", parse_credentials(**files))
    for role in ("scheduler", "worker"):
        setattr(security, f"tls_{role}_cert", security.tls_client_cert)
        setattr(security, f"tls_{role}_key", security.tls_client_key)
    with LocalCluster(
        n_workers=1, processes=False, dashboard_address=None, security=security
    ) as cluster:
        plan = ClusterPlan(
            scheduler=cluster.scheduler_address,
            credentials=parse_credentials(**files),
        )
        cell = Cell(name="c", identity="1", payload={"number": 3})
        with Workers(plan) as workers:
            found = run_campaign([cell], tmp_path, square, workers=workers)
        assert found["c"].document == {"square": 9}
        bare = Workers(ClusterPlan(scheduler=cluster.scheduler_address))
        with bare, pytest.raises(BadInputError, match="credentials that are missing"):
            run_campaign([cell], tmp_path / "again", square, workers=bare)


@pytest.mark.parametrize("missing", ["ca_file", "cert", "key"])
def test_credentials_come_whole(missing, files):
    option = f"--tls-{missing.replace('_', '-')}"
    with pytest.raises(BadInputError, match=f"lack {option}"):
        parse_credentials(**files | {missing: None})
    with pytest.raises(BadInputError, match=f"{option} .*is not a file"):
        parse_credentials(**files | {missing: files["key"].parent})


def test_credentials_need_a_scheduler_with_tls(files):
    given = parse_credentials(**files)
    with pytest.raises(
        BadInputError, match=r"TLS credentials were given without a scheduler\."
    ):
        ClusterPlan(credentials=given)
    with pytest.raises(BadInputError, match="does not use TLS"):
        client_security("tcp://node7:8786", given)


def test_a_key_that_is_none_is_refused(files):
    given = parse_credentials(**files | {"key": files["cert"]})
    with pytest.raises(BadInputError, match="cannot be read"):
        client_security("tls://node7:8786", given)


def test_a_scheduler_without_tls_is_told(files):
    assert exposure("tls://node7:8786") is None
    assert "anybody who reaches its port" in (exposure("tcp://node7:8786") or "")
