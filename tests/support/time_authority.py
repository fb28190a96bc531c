"""A time authority on loopback: OpenSSL's own (`openssl ts`), behind a small server."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from support.certificates import Pair, authority

DAY = timedelta(days=1)
TIME_STAMPING = ExtendedKeyUsageOID.TIME_STAMPING
SETTINGS = """\
[tsa]
serial = {root}/serial
default_policy = 1.3.6.1.4.1.13762.3
digests = sha256, sha512
signer_digest = sha256
ess_cert_id_alg = sha256
ess_cert_id_chain = no
"""
Answer = tuple[int, bytes]


@dataclass
class TimeAuthority:
    """Stamps what it is asked for; `answer` may be replaced by something worse."""

    root: Path
    begin: timedelta = -DAY
    end: timedelta = DAY
    answer: Callable[[bytes], Answer] | None = None
    asked: int = 0
    url: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True)
        self.top = top = authority("time")
        self.ca_file = self.root / "ca.pem"
        self.ca_file.write_bytes(top.certificate.public_bytes(Encoding.PEM))
        self.lasts(self.begin, self.end)
        (self.root / "serial").write_text("01\n")
        (self.root / "tsa.cnf").write_text(SETTINGS.format(root=self.root))

    def lasts(self, begin: timedelta, end: timedelta) -> None:
        """Have a certificate that is good from and to so long after now."""
        self.begin, self.end = begin, end
        self.signer = _signer(self.top, self).write(self.root / "signer.pem")

    def stamp(self, query: bytes) -> bytes:
        """Return OpenSSL's answer to a query, both DER."""
        asked, said = self.root / "query.tsq", self.root / "answer.tsr"
        asked.write_bytes(query)
        run("ts", "-reply", "-config", f"{self.root}/tsa.cnf", "-section", "tsa",
            "-queryfile", f"{asked}", "-signer", f"{self.signer}",
            "-inkey", f"{self.signer}", "-out", f"{said}")  # fmt: skip
        return said.read_bytes()

    def query(self, *what: str) -> bytes:
        """Return a query of OpenSSL's: `-digest HEX`, or `-data FILE`."""
        path = self.root / "other.tsq"
        run("ts", "-query", *what, "-sha256", "-cert", "-out", f"{path}")
        return path.read_bytes()

    def reply(self, query: bytes) -> Answer:
        self.asked += 1
        if self.answer is not None:
            return self.answer(query)
        return 200, self.stamp(query)


@contextmanager
def serving(one: TimeAuthority) -> Iterator[TimeAuthority]:
    """Let it answer on loopback for the length of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["content-length"]))
            status, body = one.reply(query)
            self.send_response(status)
            self.send_header("content-type", "application/timestamp-reply")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    one.url = f"http://127.0.0.1:{server.server_port}/"
    try:
        yield one
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def run(*arguments: str) -> str:
    """Run openssl; return what it printed."""
    done = subprocess.run(
        ("openssl", *arguments), check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout + done.stderr


def _signer(top: Pair, asked: TimeAuthority) -> Pair:
    """Return a certificate that may do nothing but stamp (RFC 3161, 2.3)."""
    key, now = generate_private_key(SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stamps")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(top.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + asked.begin)
        .not_valid_after(now + asked.end)
        .add_extension(x509.ExtendedKeyUsage([TIME_STAMPING]), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        .sign(top.key, hashes.SHA256())
    )
    return Pair(made, key)
