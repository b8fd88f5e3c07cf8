"""What the peers in Python have in common: a venv of their own and one worker module each."""

from __future__ import annotations

import json
import os
import subprocess
from typing import ClassVar

from ..crew import LOG_SHOWN, Crew, WorkerEnded
from ..install import HOME, PYTHON, ROOT
from ..place import Place

CALL_SECONDS = 600
ANSWER_SECONDS = 60
VERSIONS = "import sys, importlib.metadata as m; print(', '.join(f'{p} {m.version(p)}' for p in sys.argv[1:]))"


class PythonPeer:
    """`python -m MODULE install|fill N|work OPTIONS`, in the environment that PG* variables describe."""

    name: ClassVar[str]
    module: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]

    @property
    def options(self) -> list[str]:
        """Of its worker."""
        return []

    def missing(self) -> str | None:
        if not PYTHON.exists():
            return f"{self.name} is not installed; run: python -m bench install"
        try:
            subprocess.run(
                [PYTHON, "-c", VERSIONS, *self.packages],
                check=True,
                capture_output=True,
                timeout=ANSWER_SECONDS,
            )
        except subprocess.CalledProcessError:
            return f"{self.name} is not in {HOME / 'venv'}; run: python -m bench install"
        return None

    def version(self) -> str:
        command = [str(PYTHON), "-c", VERSIONS, *self.packages]
        said = subprocess.check_output(command, text=True, timeout=ANSWER_SECONDS)
        return str(said).strip()

    async def prepare(self, place: Place) -> None:
        self._call(place, "install")

    async def fill(self, place: Place, jobs: int) -> float:
        """Its client measures itself: from the call to its return, without building the arguments."""
        return float(json.loads(self._call(place, "fill", str(jobs))))

    def crew(self, place: Place, processes: int = 1) -> Crew:
        command = [str(PYTHON), "-m", self.module, "work", *self.options]
        return Crew(place, command, {"PYTHONPATH": str(ROOT)}, processes)

    def _call(self, place: Place, *words: str) -> str:
        given = os.environ | place.environment | {"PYTHONPATH": str(ROOT)}
        command = [str(PYTHON), "-m", self.module, *words]
        with (place.folder / "stderr").open("w+b") as said:
            done = subprocess.run(
                command,
                env=given,
                cwd=place.folder,
                stdout=subprocess.PIPE,
                stderr=said,
                check=False,
                timeout=CALL_SECONDS,
            )
        if done.returncode:
            why = (place.folder / "stderr").read_text(errors="replace")[-LOG_SHOWN:]
            raise WorkerEnded(f"{' '.join(command)} ended with {done.returncode}:\n{why}")
        return done.stdout.decode()
