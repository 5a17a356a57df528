"""A small OpenID Connect provider on loopback: discovery, keys, authorization with PKCE, tokens."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

CLIENT, SECRET = "steelsight", "secret of the client"


class IdentityProvider:
    """What it issues can be changed before a login: `claims`, `metadata`, and the function `sign`."""

    def __init__(self):
        self.key = RSAKey.generate_key(2048, parameters={"kid": "first", "use": "sig", "alg": "RS256"})
        self.published = [self.key]
        self.claims = {"sub": "s-1", "preferred_username": "Carla", "groups": ["inspectors"]}
        self.metadata = {}
        self.codes = {}  # code to what the request for it held
        self.requests = []  # form of each request for tokens
        self.sign = self.sign_by_key
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                provider.get(self)

            def do_POST(self):
                provider.post(self)

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}/realm"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def get(self, handler):
        parts = urlsplit(handler.path)
        if parts.path == "/realm/.well-known/openid-configuration":
            self.answer(handler, self.discovery())
        elif parts.path == "/realm/keys":
            self.answer(handler, KeySet(self.published).as_dict(private=False))
        elif parts.path == "/realm/authorize":
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            code = secrets.token_urlsafe(16)
            self.codes[code] = query
            back = {"code": code, "state": query["state"], "iss": self.issuer}
            handler.send_response(302)
            handler.send_header("Location", f"{query['redirect_uri']}?{urlencode(back)}")
            handler.end_headers()
        else:
            self.answer(handler, {}, 404)

    def discovery(self):
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            **self.metadata,
        }

    def post(self, handler):
        content = handler.rfile.read(int(handler.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(content).items()}
        self.requests.append(form)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = self.codes.pop(form.get("code"), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if handler.headers["Authorization"] != f"Basic {basic}":
            self.answer(handler, {"error": "invalid_client"}, 401)
        elif (
            asked is None
            or asked["redirect_uri"] != form["redirect_uri"]
            or asked["code_challenge_method"] != "S256"
            or asked["code_challenge"] != challenge
        ):
            self.answer(handler, {"error": "invalid_grant"}, 400)
        else:
            now = int(time.time())
            standard = {
                "iss": self.issuer,
                "aud": CLIENT,
                "iat": now,
                "exp": now + 300,
                "nonce": asked["nonce"],
            }
            token = self.sign({**standard, **self.claims})
            self.answer(handler, {"access_token": "a", "token_type": "Bearer", "id_token": token})

    def sign_by_key(self, claims):
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    def answer(self, handler, content, status=200):
        body = json.dumps(content).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


def unsigned(claims):
    """`alg: none`, as an attacker writes it."""
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    head, body = (base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts)
    return f"{head}.{body}."


def confused(provider):
    """Signed by HMAC with the published key as its secret; by hand, because libraries refuse that."""
    pem = provider.key.as_pem(private=False)

    def sign(claims):
        head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"first"}').decode().rstrip("=")
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        value = hmac.new(pem, f"{head}.{body}".encode(), hashlib.sha256).digest()
        return f"{head}.{body}.{base64.urlsafe_b64encode(value).decode().rstrip('=')}"

    return sign


def by_another_key(claims):
    """Signed by a key that the provider does not publish, under the name of one that it does."""
    other = RSAKey.generate_key(2048, parameters={"kid": "first"})
    return jwt.encode({"alg": "RS256", "kid": "first"}, claims, other)


def with_its_own_key(claims):
    """The key that signs is in the token's own header."""
    other = ECKey.generate_key("P-256", parameters={"kid": "first"})
    return jwt.encode({"alg": "ES256", "jwk": other.as_dict(private=False)}, claims, other)


def by_secret(claims):
    """Signed by HMAC with the client's secret: not among the accepted algorithms."""
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET * 4))
