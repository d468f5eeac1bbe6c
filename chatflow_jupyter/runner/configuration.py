"""What a runner process is told when it starts, apart from the runner, so that reading it is quick."""

import json
from dataclasses import asdict, dataclass

END_GRACE_SEC = 4.0
"""How long a runner whose orchestrator is gone may take to end its kernels, in seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunnerConfiguration:
    """What a runner process is told when it starts; `descriptor` is its end of the link."""

    descriptor: int
    runner_id: str
    work: str
    slots: int
    cell_output_bytes: int
    notebook_output_bytes: int
    log_level: str

    def dump(self) -> str:
        """Return the form that goes on the command line."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> "RunnerConfiguration":
        """Read what `dump` gave."""
        return cls(**json.loads(text))
