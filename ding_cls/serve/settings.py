"""What a server is told: where it listens, who may ask, and how much it takes.

It must not know HTTP libraries or networks.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from ding_cls.errors import ConfigError

TOKEN_VARIABLE = "DING_CLS_TOKEN"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class ServeSettings:
    """Where a server listens, who may ask, and how much it takes.

    Attributes:
        host: the address to listen on. Any but the loopback needs a token.
        port: 0: a free one.
        token: what ``Authorization: Bearer`` must hold; None: nobody is asked for one.
        name: what the page calls the network.
        topk: classes in ``top`` of each answer.
        workers: processes that serve, each with a network of its own.
        max_batch: images that go through the network together at most. On processors more gain nothing:
            activations beyond 32 MB are fetched from the system each time, 40 % of the time of MobileNetV2 at
            16 images.
        queue: images that may wait for the network, in each process; a request beyond them is refused.
        max_bytes: of a request's body.
        max_pixels: of an image, as its header says before it is decoded.
        max_held_bytes: of the bodies of all requests together, in each process.
        timeout_s: seconds from a whole body to its answer; then the request is refused.
        drain_s: seconds that requests have to be answered once the server is to stop.

    Raises:
        ConfigError: a number outside its range, or a host that needs a token and has none.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = field(default=None, repr=False)
    name: str = "ding_cls"
    topk: int = 5
    workers: int = 1
    max_batch: int = 4
    queue: int = 32
    max_bytes: int = 16 * 2**20
    max_pixels: int = 50_000_000
    max_held_bytes: int = 256 * 2**20
    timeout_s: float = 30.0
    drain_s: int = 9

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port {self.port} must lie in 0 to 65535; 0 takes a free one")
        for name, option in (("topk", "topk"), ("workers", "workers"), ("max_batch", "batch-size")):
            if getattr(self, name) < 1:
                raise ConfigError(f"--{option} {getattr(self, name)} must be at least 1")
        if self.token is None and not self.is_loopback:
            raise ConfigError(
                f"--host {self.host} can be reached from elsewhere, so it needs a token: --token TEXT, or "
                f"the environment variable {TOKEN_VARIABLE}"
            )
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and self.token):
            raise ConfigError("a token is at least one printable ASCII character: what a header can hold")
        if self.token is not None and self.token != self.token.strip():
            raise ConfigError("a token neither begins nor ends with a space: a header cannot hold it")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches ``host``."""
        address = _address(self.host)
        return self.host.lower() == "localhost" if address is None else address.is_loopback

    @property
    def host_names(self) -> frozenset[str] | None:
        """The names that a request may address this server by, in lower case; None: any.

        A page of a foreign site may have its own name lead to this machine (DNS rebinding), and names itself
        then. Where every address is listened on, the token keeps it out.
        """
        if self.is_loopback:
            return LOOPBACK_NAMES | {self.host.lower()}
        address = _address(self.host)
        return None if address is not None and address.is_unspecified else frozenset({self.host.lower()})


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
