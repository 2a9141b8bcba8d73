"""An SMTP server that keeps what it gets: aiosmtpd, with one handler.

    python mail_server.py HOST PORT FOLDER [CERTIFICATE KEY USER PASSWORD]

With a certificate and its key (PEM files) it demands STARTTLS, and then that USER signs in. Each message becomes a file in FOLDER, `<time>-<number>.json` with its envelope and text, which appears whole. The local
part of a recipient tells how it is treated: `unknown` is refused for good (550), `busy` for now (451).
"""

import asyncio
import json
import logging
import os
import ssl
import sys
import time
import warnings

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Keeper:
    def __init__(self, folder):
        self.folder = folder
        self.number = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        local = address.split("@")[0]
        if local == "unknown":
            return f"550 5.1.1 <{address}> is nobody here"
        if local == "busy":
            return "451 4.2.1 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.number += 1
        name = os.path.join(self.folder, f"{time.time_ns()}-{self.number}")
        message = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "text": envelope.content.decode("utf-8"),
        }
        with open(f"{name}.part", "w", encoding="utf-8") as file:
            json.dump(message, file)
        os.rename(f"{name}.part", f"{name}.json")
        return "250 kept"


def protection(certificate, key, user, password):
    """What makes the server demand TLS and a password."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    good = LoginPassword(user.encode(), password.encode())

    def authenticate(server, session, envelope, mechanism, sent):
        return AuthResult(success=sent == good, handled=False)

    return {
        "tls_context": context,
        "require_starttls": True,
        "auth_required": True,
        "authenticator": authenticate,
    }


async def main(host, port, folder, *protected):
    keeper = Keeper(folder)
    options = protection(*protected) if protected else {}
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(keeper, hostname="mail.test", enable_SMTPUTF8=True, **options), host, int(port)
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) not in (4, 8):
        sys.exit(__doc__)
    # Tests break handshakes on purpose; what the package says of that is no finding.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    asyncio.run(main(*sys.argv[1:]))
