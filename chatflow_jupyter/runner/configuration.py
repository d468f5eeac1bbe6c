"""What a runner process is told, apart from the runner, so that an orchestrator need not import that."""

import json
from dataclasses import asdict, dataclass

END_GRACE_SEC = 4.0
"""How long a runner whose orchestrator is gone may take to end its kernels, in seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunnerConfiguration:
    """What a runner process is told; what it prints goes to `log_file`."""

    log_file: str
    runner_id: str
    work: str
    slots: int
    kernel_start: str
    cell_output_bytes: int
    notebook_output_bytes: int
    log_level: str

    def dump(self) -> str:
        """Return the form that goes over the link."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str | bytes) -> "RunnerConfiguration":
        """Read what `dump` gave."""
        return cls(**json.loads(text))
