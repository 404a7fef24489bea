"""Addresses that lead to another machine."""

import pytest
from sidelight_specs.connections import is_remote


@pytest.mark.parametrize(
    "address",
    ["", "/data/mlruns", "./mlruns", "file:///data/mlruns", "file:mlruns", "sqlite:///runs.db", "http://localhost:5000",
     "https://127.0.0.1/x", "http://[::1]:5000", "127.0.0.1:6379", "ray://127.0.0.1:10001", "auto", "local"],
)  # fmt: skip
def test_files_and_loopback_are_here(address):
    assert not is_remote(address)


@pytest.mark.parametrize(
    "address",
    ["https://tracker.example.org", "HTTP://host:5000", "http://127.0.0.1.example.org", "http://127.0.0.1@host",
     "http://host\\@127.0.0.1", "http://host @127.0.0.1", "http://host#@127.0.0.1", "http:///host", "http://[bad",
     "http://0.0.0.0:5000", "10.0.0.5:6379", "ray://head:10001", "tcp://head:8786", "file://host/share",
     "file:////host/share", "//host/share", "\\\\host\\share", "databricks", "postgresql://localhost/x?host=head",
     "s3://bucket", "http://auto:5000", "ray://local:10001", "auto:6379"],
)  # fmt: skip
def test_everything_else_leads_to_another_machine(address):
    assert is_remote(address)
