"""The queues that are measured, each behind the same few verbs."""

from __future__ import annotations

from ..peer import Peer
from .bellhand import Bellhand
from .graphile import Graphile
from .pgqueuer import PgQueuer
from .procrastinate import Procrastinate

PEERS: dict[str, Peer] = {
    peer.name: peer for peer in (Bellhand(), Graphile(), PgQueuer(), Procrastinate())
}
