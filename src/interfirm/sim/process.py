"""A process of a world: a turn loop on a virtual clock that can be killed at any commit and started again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interfirm.base.turn import TurnLoop
from interfirm.node.network import types as net
from interfirm.sim.agenda import Agenda, Planned
from interfirm.sim.chance import chance
from interfirm.sim.faults import Faults
from interfirm.sim.network import Network
from interfirm.sim.trace import Trace

MILLION = 1_000_000
PROCESSING_MS_MAX = 2


class Killed(BaseException):
    """The process was killed here; not an Exception, because nobody inside it can handle that."""


class Surroundings:
    """What all processes of a world share. `faults` may be exchanged while the world runs."""

    def __init__(self, seed: int, agenda: Agenda, network: Network, trace: Trace, faults: Faults) -> None:
        self.seed = seed
        self.agenda = agenda
        self.network = network
        self.trace = trace
        self.faults = faults


class Process:
    """See the module. A subclass makes the loop in `_start` and drops what is in memory in `_die`."""

    loop: TurnLoop[Any, Any]

    def __init__(self, name: str, identity: bytes, around: Surroundings) -> None:
        self.name = name
        self.identity = identity
        self.around = around
        self.up = False
        self.life = 0
        self.random = chance(around.seed, name)
        self.skew_ms = self._skew_ms(around.faults)
        self._turn: Planned | None = None
        self._wake: Planned | None = None

    def _skew_ms(self, faults: Faults) -> int:
        return self.random.randint(-faults.skew_ms_max, faults.skew_ms_max) if faults.skew_ms_max else 0

    def clock_ms(self) -> int:
        """What this process believes the time is."""
        return self.around.agenda.now_ms + self.skew_ms

    def tell(self, what: str, detail: str = "") -> None:
        """One line of the trace."""
        self.around.trace.tell(self.around.agenda.now_ms, self.name, what, detail)

    # life -----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin a life: open what is on disk and run the first turn."""
        assert not self.up
        self.up, self.life = True, self.life + 1
        self.tell("started", str(self.life))
        self._alive(self._start)

    def kill(self, why: str) -> None:
        """End this life at once; the next one begins after a while."""
        self.around.trace.inject(self.around.agenda.now_ms, self.name, why)
        self._end()
        self.around.network.gone(self.identity)
        down_ms = self.random.randint(1, max(1, self.around.faults.down_ms_max))
        self.around.agenda.after(down_ms, self.start)

    def stop(self) -> None:
        """End between turns; `start` begins another life."""
        if self.up:
            self._end()
            self.around.network.gone(self.identity)

    def _end(self) -> None:
        self.up = False
        self._call_off_wake()
        if self._turn is not None:
            self._turn.action = None
            self._turn = None
        self._die()

    def _call_off_wake(self) -> None:
        if self._wake is not None:
            self._wake.action = None
            self._wake = None

    def _start(self) -> None:
        raise NotImplementedError

    def _die(self) -> None:
        raise NotImplementedError

    def _alive(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Killed as killed:
            self.kill(str(killed))

    # turns ----------------------------------------------------------------------------------------------------------

    def hear(self, event: Any) -> None:
        """An event came in; the loop takes it in its next turn."""
        if self.up:
            self.loop.put(event)
            self._turn_by(self.around.agenda.now_ms + self.random.randint(0, PROCESSING_MS_MAX))

    def wake_at(self, at_ms: int) -> None:
        """Run a turn when this process's clock shows `at_ms`; the last word after a turn holds."""
        self._call_off_wake()
        when = max(at_ms - self.skew_ms, self.around.agenda.now_ms + 1)
        self._wake = self.around.agenda.at(when, self._woken)

    def _woken(self) -> None:
        self._wake = None
        self._turn_by(self.around.agenda.now_ms)

    def _turn_by(self, when: int) -> None:
        if self._turn is None:
            self._turn = self.around.agenda.at(when, self._take_turn)

    def _take_turn(self) -> None:
        self._turn = None
        self._call_off_wake()
        self._alive(self._run)
        if self.up and self.loop.waiting:
            self._turn_by(self.around.agenda.now_ms)

    def _run(self) -> None:
        self.loop.run(self.clock_ms())

    def carry_out(self, effect: Any) -> bool:
        """Hand a frame or wish to the network; False where the effect is none of the network's."""
        network = self.around.network
        match effect:
            case net.SendFrame():
                network.send(self.identity, effect.peer, effect.frame)
            case net.Connect():
                network.connect(self.identity, effect.peer)
            case net.Close():
                network.close(self.identity, effect.peer)
            case net.Tell():
                self.tell("told", effect.code)
            case _:
                return False
        return True

    def happens(self, ppm: int) -> bool:
        """Whether a thing of this rate happens now."""
        return ppm > 0 and self.random.randrange(MILLION) < ppm
