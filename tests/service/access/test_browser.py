"""A real browser: cookies that no script reads, and requests that another site makes it send."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import uvicorn
from tests.service import chromium
from tests.service.access.conftest import FAST, event_names
from tests.service.api.conftest import make_service

from steelsight.service.access.accounts import first_login
from steelsight.service.app import build_app

__all__ = ["make_service"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.PATH is None, reason="Chromium is not installed (Debian: chromium)"),
]
PASSWORD = "oil on the third stand"


@pytest.fixture
def service(sqlite_ledger, make_service):
    return make_service(sqlite_ledger, open=False, **FAST)


@pytest.fixture
def served(service):
    """The address of the real application on a port of loopback."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(build_app(service), log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture
def foreign():
    """A page of another origin on the same site: its requests carry the cookies of the service."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>elsewhere</title><body>elsewhere</body>")

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def log_in(browser, service, served):
    """Set the first password by the page of its link."""
    browser.open(served + first_login(service))
    browser.run(
        "for (const name of ['password', 'again']) "
        f"document.querySelector(`[name=${{name}}]`).value = '{PASSWORD}';"
        "document.querySelector('button').click()"
    )
    browser.wait("location.pathname === '/' && document.body.innerText.includes('Logged in as')")


def test_another_site_acts_in_nobodys_name(service, served, foreign, tmp_path):
    with chromium.Chromium(tmp_path / "profile") as browser:
        log_in(browser, service, served)
        assert browser.run("document.cookie") == ""
        assert browser.run("fetch('/api/v1/me').then(answer => answer.status)") == 200
        browser.open(foreign)
        attack = (
            f"fetch('{served}/api/v1/logout', "
            "{method: 'POST', mode: 'no-cors', credentials: 'include'}).then(() => 'sent', () => 'sent')"
        )
        assert browser.run(attack) == "sent"  # the answer is kept from the page, whatever it is
        reading = (
            f"fetch('{served}/api/v1/me', {{credentials: 'include'}}).then(() => 'read', () => 'kept out')"
        )
        assert browser.run(reading) == "kept out"
        for path in ("/api/v1/logout", "/access/logout"):
            browser.open(foreign)
            form = (
                f"document.body.innerHTML = `<form method=post action='{served}{path}'></form>`;"
                "document.forms[0].submit()"
            )
            browser.run(form)
            browser.wait("document.body.innerText.includes('cross_site')")
        browser.open(f"{served}/api/v1/me")
        assert '"role":"admin"' in browser.run("document.body.innerText")
        assert browser.run("fetch('/api/v1/logout', {method: 'POST'}).then(answer => answer.status)") == 204
        assert browser.run("fetch('/api/v1/me').then(answer => answer.status)") == 401
    assert event_names(service)[-2:] == ["login", "logout"]


def test_logging_out_and_in_by_the_forms(service, served, tmp_path):
    with chromium.Chromium(tmp_path / "profile") as browser:
        log_in(browser, service, served)
        browser.run("document.querySelector('button').click()")
        browser.wait("document.querySelector('[type=password]') !== null")
        assert browser.run("getComputedStyle(document.querySelector('button')).cursor") == "pointer"  # styled
        browser.run(
            "document.querySelector('[name=login]').value = 'admin';"
            f"document.querySelector('[name=password]').value = '{PASSWORD}';"
            "document.querySelector('button').click()"
        )
        browser.wait("document.body.innerText.includes('Logged in as')")
    assert event_names(service)[-3:] == ["login", "logout", "login"]
