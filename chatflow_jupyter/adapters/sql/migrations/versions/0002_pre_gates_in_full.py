"""What people were shown at a gate, whose names were verified, waivers, and gates in states.

Revision ID: 0002_pre
Revises: 0001_pre
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002_pre"
down_revision = "0001_pre"


def upgrade() -> None:
    _add_to_decisions()
    _create_waivers()
    _put_waiting_gates_into_states()
    _let_gates_be_opened_by_several()


def _put_waiting_gates_into_states() -> None:
    """Let instances that wait for approval know until when; before, only their timers did."""
    connection = op.get_bind()
    waiting = connection.exec_driver_sql(
        "SELECT i.tenant_id, i.instance_id, i.state, t.due_at FROM instances i "
        "LEFT JOIN timers t ON t.tenant_id = i.tenant_id AND t.instance_id = i.instance_id "
        "AND t.kind = 'gate_expiry' WHERE i.waiting_reason = 'approval'"
    )
    for tenant, this, text, due_at in waiting.fetchall():
        gate = {"votes": [], "expires_at": due_at, "escalated": False}
        _write(tenant, this, {**json.loads(text), "gate": gate})


def _let_gates_be_opened_by_several() -> None:
    """Name in phases whoever opened their gates in a list; before, there was one at most."""
    old = sa.text("SELECT tenant_id, instance_id, state FROM instances WHERE state LIKE :written")
    for tenant, this, text in op.get_bind().execute(old, {"written": '%"gate":{"by":%'}).fetchall():
        state = json.loads(text)
        for record in state["phases"].values():
            if "principal" in record.get("gate", {}):
                somebody = record["gate"].pop("principal")
                record["gate"]["principals"] = [] if somebody is None else [somebody]
        _write(tenant, this, state)


def _write(tenant: str, this: str, state: dict[str, Any]) -> None:
    change = sa.text("UPDATE instances SET state = :state WHERE tenant_id = :tenant AND instance_id = :this")
    text = json.dumps(state, ensure_ascii=False, separators=(",", ":"))
    op.get_bind().execute(change, {"state": text, "tenant": tenant, "this": this})


def _add_to_decisions() -> None:
    op.add_column(
        "decisions",
        sa.Column("shown", sa.Text(), nullable=True, comment="hash over the artifacts there were to see"),
    )
    op.add_column(
        "decisions",
        sa.Column(
            "claimed",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="the name was not verified",
        ),
    )


def _create_waivers() -> None:
    op.create_table(
        "waivers",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("waiver_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("feature_id", sa.Text(), nullable=True),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "waiver_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("waivers_by_gate", "waivers", ["tenant_id", "name", "phase", "expires_at"], unique=False)
