"""The Reports tab and its files: what is on offer can be had, byte for byte, and nothing else."""

import re

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from app import files
from app.store import Store
from app.tabs import reports
from tests.pages import make_root


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = make_root(tmp_path_factory.mktemp("checkpoints"))
    (root / "early" / "secret.json").write_text("{}")
    return Store(root)


@pytest.fixture(scope="module")
def client(store):
    return TestClient(Starlette(routes=[Route("/reports/{name}/{id}/{file}", files.report_file(store))]))


def test_every_link_of_the_tab_leads_to_its_file(store, client):
    html = reports.page(store)[0]
    addresses = re.findall(r'href="(reports/[^"]+)"', html)
    assert len(addresses) >= 2 * len(store.reports())
    for address in addresses:
        _, name, identity, file = address.split("/")
        answer = client.get(f"/{address}")
        assert answer.status_code == 200 and "sandbox" in answer.headers["content-security-policy"]
        assert answer.content == (store.root / name / "reports" / identity / file).read_bytes()


@pytest.mark.parametrize("file", ["checkpoint.json", "..%2F..%2Fsecret.json", "%2E%2E/secret.json", "nothing.csv"])
def test_nothing_else_is_served(store, client, file):
    key = store.report_key("early")
    assert client.get(f"/reports/{key}/{file}").status_code == 404
    assert client.get(f"/reports/early/../{file}").status_code == 404
    assert client.get("/reports/nobody/nothing/report.json").status_code == 404


def test_the_provenance_is_that_of_the_report(store):
    report = store.report(store.report_key("early"))
    html = reports.provenance(report)
    assert report.created in html and all(judge in html for judge in report.scorers)


def test_a_damaged_report_is_listed_with_its_problem(tmp_path):
    root = make_root(tmp_path / "checkpoints")
    store = Store(root)
    name, _, identity = store.report_key("early").partition("/")
    (root / name / "reports" / identity / "report.json").write_text("{")
    html = reports.page(Store(root))[0]
    assert html.count('class="problem"') == 1 and html.count('class="report"') == len(store.reports())


def test_no_report_says_what_to_do(tmp_path):
    assert "python -m app score" in reports.page(Store(tmp_path))[0]
