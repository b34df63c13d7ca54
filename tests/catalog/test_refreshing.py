"""`advisor catalog refresh` through gpuhunt itself: from a folder, from a server on this machine, and offline."""

import gc
import io
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from advisor.catalog import Catalog
from advisor.catalog.refreshing import loaded, refreshed
from advisor.cli import app
from advisor.errors import InputError, UnknownName

pytest.importorskip("gpuhunt", reason="gpuhunt is not installed: pip install 'inference-advisor[gpuhunt]'")
pytestmark = [  # gpuhunt leaves files and sockets to the garbage collector
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

AWS = """instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size,gpu_vendor,flags,cpu_arch,provider_data
p5.48xlarge,us-east-1,50.1,192,2048.0,8,H100,80.0,False,,nvidia,,x86,{}
p5.48xlarge,us-east-1,20.5,192,2048.0,8,H100,80.0,True,,nvidia,,x86,{}
g6e.12xlarge,us-west-2,10.49,48,384.0,4,L40S,48.0,False,,nvidia,,x86,{}
"""


@pytest.fixture(autouse=True)
def _collected():
    """What gpuhunt left open is closed here, not in somebody else's test."""
    yield
    gc.collect()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Gpuhunt's own folder of prices, for those without a network."""
    (tmp_path / "aws.csv").write_text(AWS)
    monkeypatch.setenv("GPUHUNT_CATALOG_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def server(monkeypatch):
    """A mirror of gpuhunt's bucket with one provider."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("aws.csv", AWS)
    pages = {"/aws/version": b"7", "/aws/7/catalog.zip": archive.getvalue()}

    class Mirror(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path in pages else 404)
            self.end_headers()
            self.wfile.write(pages.get(self.path, b""))

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as mirror:
        threading.Thread(target=mirror.serve_forever, daemon=True).start()
        monkeypatch.setenv("GPUHUNT_CATALOG_URL", f"http://127.0.0.1:{mirror.server_port}")
        yield f"http://127.0.0.1:{mirror.server_port}"
        mirror.shutdown()


def run(*arguments):
    return CliRunner().invoke(app, ["catalog", "refresh", *arguments], catch_exceptions=False)


def test_prices_come_from_the_mirror_that_is_named_and_are_dated(server):
    found = refreshed("aws", date="2026-11-24", catalog=Catalog.load(), hunt=loaded())
    assert [(line["name"], line["on_demand_usd_per_h"]) for line in found.lines] == [
        ("p5.48xlarge", "50.1"),
        ("g6e.12xlarge", "10.49"),
    ]
    assert {(line["price_date"], line["source"]) for line in found.lines} == {("2026-11-24", "gpuhunt")}
    assert found.lines[0]["spot_usd_per_h"] == "20.5"


def test_the_command_says_where_it_goes_and_writes_what_catalog_takes(folder, tmp_path):
    target = tmp_path / "prices.csv"
    done = run("--provider", "aws", "-o", str(target))
    assert f"Fetching prices from {folder}" in done.stderr
    machine = Catalog.load().with_overrides(target).instance("p5.48xlarge", "aws", "us-east-1")
    assert machine.prices["on-demand"].usd_per_h == 50.1
    with pytest.raises(Exception, match="already exists"):
        run("--provider", "aws", "-o", str(target))


def test_offline_it_says_what_to_do_and_writes_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("GPUHUNT_CATALOG_URL", "http://127.0.0.1:9")
    target = tmp_path / "prices.csv"
    with pytest.raises(
        InputError, match=r"cannot fetch prices from http://127\.0\.0\.1:9.*GPUHUNT_CATALOG_DIR"
    ):
        run("--provider", "aws", "-o", str(target))
    assert not target.exists()


def test_a_provider_without_prices_is_an_error_and_no_empty_file(server):
    with pytest.raises(InputError, match="no price of gcp"):
        refreshed("gcp", date="2026-11-24", catalog=Catalog.load(), hunt=loaded())
    with pytest.raises(UnknownName, match="no provider 'aw' can be refreshed; did you mean 'aws'"):
        refreshed("aw", date="2026-11-24", catalog=Catalog.load())


def test_without_gpuhunt_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gpuhunt", None)
    with pytest.raises(InputError, match=r"pip install 'inference-advisor\[gpuhunt\]'"):
        loaded()
