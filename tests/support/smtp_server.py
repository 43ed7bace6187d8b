"""An SMTP server that speaks TLS and asks for a password (RFC 5321, 3207, 4954), and keeps what it is sent."""

import asyncio
import base64
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default


@dataclass
class SmtpServer:
    """Mails of a server on `port`. With `password` nobody sends without; `refuses` is a recipient's code."""

    password: str = ""
    refuses: int = 0
    mails: list[EmailMessage] = field(default_factory=list[EmailMessage])
    encrypted: list[bool] = field(default_factory=list[bool])
    port: int = 0
    starttls: ssl.SSLContext | None = None
    implicit: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        is_known = not self.password
        writer.write(b"220 mail.example.com ESMTP\r\n")
        while line := (await reader.readline()).decode().strip():
            verb = line.partition(" ")[0].upper()
            if verb == "EHLO":
                writer.write(b"250-mail.example.com\r\n250-AUTH PLAIN\r\n")
                writer.write(b"250-STARTTLS\r\n250 8BITMIME\r\n" if self.starttls else b"250 8BITMIME\r\n")
            elif verb == "STARTTLS" and self.starttls:
                writer.write(b"220 begin\r\n")
                await writer.start_tls(self.starttls)
            elif verb == "AUTH":
                is_known = base64.b64decode(line.split()[2]).decode() == f"\0user@example.com\0{self.password}"
                writer.write(b"235 known\r\n" if is_known else b"535 unknown\r\n")
            elif verb == "RCPT" and self.refuses:
                writer.write(f"{self.refuses} no such mailbox\r\n".encode())
            elif verb == "DATA":
                writer.write(b"354 go on\r\n" if is_known else b"530 authenticate first\r\n")
                if is_known:
                    await self._keep(reader, writer)
            elif verb == "QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 ok\r\n")
        writer.close()

    async def _keep(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        content = (await reader.readuntil(b"\r\n.\r\n")).removesuffix(b".\r\n")
        self.mails.append(message_from_bytes(content, policy=default))
        self.encrypted.append(writer.get_extra_info("sslcontext") is not None)
        writer.write(b"250 kept\r\n")


@asynccontextmanager
async def smtp_server(
    *, tls: ssl.SSLContext | None = None, implicit: bool = False, password: str = "", refuses: int = 0
) -> AsyncGenerator[SmtpServer]:
    """A server on a free port of this machine; with `implicit` TLS begins with the connection."""
    served = SmtpServer(password=password, refuses=refuses, starttls=None if implicit else tls)
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0, ssl=tls if implicit else None)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        await server.wait_closed()
