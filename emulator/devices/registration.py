"""Smart Energy registration: from a joined device to one that shares a key with its hub and knows its services.

Find the trust centre's Key Establishment endpoint, agree on a suite, run CBKE, then find the services wanted
(fact sheet 2.8). A key establishment that fails is tried ten times in a row, then again after 15 minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from emulator.clock.kernel import MICROSECONDS, Scope, Timer
from emulator.crypto.suite import Suite
from emulator.devices.attributes import wanted
from emulator.devices.key_establishment import KeyEstablishmentShell
from emulator.errors import FrameError
from emulator.nonvolatile import NonVolatile
from emulator.smart_energy.cbke.machines import Established, Failed
from emulator.stack.node import Node
from emulator.stack.primitives import COORDINATOR
from emulator.stack.zdo.frames import EndpointList, MatchDescriptorRequest, ZdoCluster
from emulator.zcl.client import Peer, Values, ZclClient
from emulator.zcl.identifiers import KEY_ESTABLISHMENT
from hw_profiles.identifiers import SMART_ENERGY_PROFILE


class Service(NamedTuple):
    """A cluster side that a device looks for at the hub."""

    cluster: int
    server: bool = True


ATTEMPTS_IN_SUCCESSION = 10
PAUSE_US = 15 * 60 * MICROSECONDS
RETRY_US = 32 * MICROSECONDS
SILENCES_ALLOWED = 3
"""Questions in a row that the hub leaves unanswered, before the device looks for its network again."""
_SUITES = wanted(KEY_ESTABLISHMENT, "key_establishment_suite", "bitmap16")
"""KeyEstablishmentSuite: an enumeration used as a bitmap (protocol facts 1.1), which some serve as the bitmap it is."""
_RECORD = Struct("<HBB")
_REGISTERED = "se.registered"
_SERVICES = "se.services"


class Registration:
    """The registration of one boot; what it achieved is kept in non-volatile memory."""

    def __init__(
        self,
        scope: Scope,
        node: Node,
        nonvolatile: NonVolatile,
        *,
        client: ZclClient,
        key_establishment: KeyEstablishmentShell,
        suites: tuple[Suite, ...],
        services: tuple[Service, ...],
    ) -> None:
        """`suites` in order of preference; `services` are looked for at the hub."""
        self.on_complete: Callable[[], None] | None = None
        self.on_failed: Callable[[str], None] | None = None
        self.on_silence: Callable[[], None] | None = None
        self.services: dict[Service, int] = {}
        """Endpoint of the hub for each service found."""
        self._scope = scope
        self._node = node
        self._nonvolatile = nonvolatile
        self._client = client
        self._shell = key_establishment
        self._suites = suites
        self._wanted = services
        self._endpoint = 0
        self._failures = 0
        self._silences = 0
        self._retry: Timer | None = None
        self._running = False
        key_establishment.on_established = self._established
        key_establishment.on_failed = self._failed

    @property
    def complete(self) -> bool:
        """Whether this device shares an established key with its trust centre."""
        return self._nonvolatile.get(_REGISTERED) is not None

    def forget(self) -> None:
        """Start anew at the next registration: the network was left, and what was under way on it is void."""
        self._scope.cancel(self._retry)
        self._running = False
        self._failures = self._silences = 0
        self.services = {}
        self._nonvolatile.delete(_REGISTERED)
        self._nonvolatile.delete(_SERVICES)

    def start(self) -> None:
        """Register, or pick up the services found in an earlier life."""
        if self._running:
            return
        self._running = True
        self._scope.cancel(self._retry)
        if not self.complete:
            self._match(Service(KEY_ESTABLISHMENT), self._key_endpoint_found)
            return
        found = self._nonvolatile.get(_SERVICES)
        if found is None:
            self._discover(0)
            return
        self.services = {
            Service(cluster, bool(server)): endpoint
            for cluster, server, endpoint in _RECORD.iter_unpack(found)
        }
        self._done()

    def _match(self, service: Service, then: Callable[[int | None], None]) -> None:
        def answered(response: bytes | None) -> None:
            if not self._running:
                return
            if response is None:
                self._silent()
                return
            self._silences = 0
            try:
                endpoints = EndpointList.decode(response).endpoints
            except FrameError:
                endpoints = ()
            then(endpoints[0] if endpoints else None)

        servers, clients = ((service.cluster,), ()) if service.server else ((), (service.cluster,))
        question = MatchDescriptorRequest(COORDINATOR, SMART_ENERGY_PROFILE, servers, clients).encode()
        self._node.zdo.request(COORDINATOR, ZdoCluster.MATCH_DESC, question, answered)

    def _key_endpoint_found(self, endpoint: int | None) -> None:
        if endpoint is None:
            self._try_again("the hub did not name a Key Establishment endpoint")
            return
        self._endpoint = endpoint
        peer = Peer(COORDINATOR, endpoint, secure=False)
        self._client.read_attributes(peer, KEY_ESTABLISHMENT, (_SUITES,), self._suites_read)

    def _suites_read(self, answer: Values | None) -> None:
        if not self._running:
            return
        offered = None if answer is None else answer.get(_SUITES.attribute)
        if offered is None:
            self._try_again("the hub did not say which suites it has")
            return
        suite = next((suite for suite in self._suites if suite & offered), None)
        trust_centre = self._node.nwk.eui64_of(COORDINATOR)
        if suite is None:
            self._try_again(f"no suite in common with the hub's 0x{offered:04X}")
            return
        if trust_centre is None:
            self._try_again("the address of the hub is not known")
            return
        self._shell.start(trust_centre, self._endpoint, suite)

    def _established(self, established: Established) -> None:
        if established.link_key is None or (established.initiated and not self._running):
            return
        self._node.set_link_key(established.partner, established.link_key)
        if established.initiated:
            self._nonvolatile.put(_REGISTERED, b"\x01")
            # The confirmation travels first: it must not meet the new key halfway.
            self._scope.call_later(250_000, self._discover, 0)

    def _failed(self, failed: Failed) -> None:
        if failed.initiated and self._running:
            self._try_again(failed.detail, failed.wait_seconds * MICROSECONDS)

    def _discover(self, index: int) -> None:
        if not self._running:
            return
        if index == len(self._wanted):
            found = sorted(self.services.items())
            records = [_RECORD.pack(cluster, server, endpoint) for (cluster, server), endpoint in found]
            self._nonvolatile.put(_SERVICES, b"".join(records))
            self._done()
            return
        service = self._wanted[index]

        def answered(endpoint: int | None) -> None:
            if endpoint is not None:
                self.services[service] = endpoint
            self._discover(index + 1)

        self._match(service, answered)

    def _done(self) -> None:
        self._running = False
        self._failures = 0
        if self.on_complete is not None:
            self.on_complete()

    def _try_again(self, reason: str, wait_us: int = 0) -> None:
        """Register again in a while, not before `wait_us`: a Terminate says how long its sender wants to rest."""
        self._running = False
        self._failures += 1
        if self.on_failed is not None:
            self.on_failed(reason)
        pause = PAUSE_US if self._failures % ATTEMPTS_IN_SUCCESSION == 0 else RETRY_US
        self._retry = self._scope.call_later(max(pause, wait_us), self.start)

    def _silent(self) -> None:
        """The hub does not answer: perhaps it lost its list of children in a power cut."""
        self._silences += 1
        self._try_again("the hub does not answer")
        if self._silences % SILENCES_ALLOWED == 0 and self.on_silence is not None:
            self.on_silence()
