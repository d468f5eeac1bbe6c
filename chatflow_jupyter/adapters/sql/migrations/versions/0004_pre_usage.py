"""What subtrees have used of their limits, counted at once; before, a parent learned of it at a child's end.

Revision ID: 0004_pre
Revises: 0003_pre
"""

import json
from collections import defaultdict
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004_pre"
down_revision = "0003_pre"

DAMAGED = (AttributeError, LookupError, TypeError, ValueError)
"""What a row raises that is not what was written: it stays as it is, and holds up no other."""


def upgrade() -> None:
    _create_tables()
    trees = op.get_bind().exec_driver_sql("SELECT tenant_id, root_id FROM trees")
    for tenant, root in trees.fetchall():
        _count_tree(tenant, root)
    _put_children_into_rows()


def _create_tables() -> None:
    op.add_column(
        "trees",
        sa.Column(
            "asked",
            sa.Integer(),
            nullable=False,
            server_default=sa.text("0"),
            comment="children asked for so far",
        ),
    )
    op.create_table(
        "usage",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column("spent_sec", sa.Float(), nullable=False, comment="by it and all below it"),
        sa.Column("children", sa.BigInteger(), nullable=False, comment="asked for by it and all below it"),
        sa.Column("max_children", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "instance_id"],
            ["instances.tenant_id", "instances.instance_id"],
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "instance_id"),
        sqlite_with_rowid=False,
    )
    _create_parts()


def _create_parts() -> None:
    op.create_table(
        "parts",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="child: what is known of an end; spawned: asked for",
        ),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="the child's key"),
        sa.Column("value", sa.Text(), nullable=False, comment="JSON"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "instance_id"],
            ["instances.tenant_id", "instances.instance_id"],
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "instance_id", "kind", "place"),
    )


def _put_children_into_rows() -> None:
    """Take out of states what they hold of children; only now, for it was counted above."""
    connection = op.get_bind()
    wanted = sa.text("SELECT tenant_id, instance_id, state FROM instances")
    change = sa.text("UPDATE instances SET state = :state WHERE tenant_id = :tenant AND instance_id = :this")
    for tenant, this, text in connection.execute(wanted).fetchall():
        with suppress(*DAMAGED):
            state = json.loads(text)
            children, spawned = state["variables"].get("children") or {}, state.pop("spawned", None) or []
            rows = [("child", n, name, _text(entry)) for n, (name, entry) in enumerate(children.items())]
            rows += [("spawned", n, one[1], _text([one[0], one[2]])) for n, one in enumerate(spawned)]
            if children:
                state["variables"]["children"] = {}
            if rows:
                state["apart"] = [len(children), len(spawned)]
            for row in rows:
                connection.exec_driver_sql(
                    "INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?)", (tenant, this, *row)
                )
            connection.execute(change, {"tenant": tenant, "this": this, "state": _text(state)})


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _count_tree(tenant: str, root: str) -> None:
    """Give every node the limits above it, and every limit what was used of it."""
    nodes = sa.text(
        "SELECT instance_id, parent_id, birth, state FROM instances "
        "WHERE tenant_id = :tenant AND root_id = :root ORDER BY born, instance_id"
    )
    limits: dict[str, list[list[Any]]] = {}
    spent: defaultdict[str, float] = defaultdict(float)
    asked: defaultdict[str, int] = defaultdict(int)
    in_tree = 0
    rows = op.get_bind().execute(nodes, {"tenant": tenant, "root": root}).fetchall()
    for this, parent, birth_text, state_text in rows:
        above = limits.get(parent, [])
        limits[this] = above
        with suppress(*DAMAGED):
            birth, state = json.loads(birth_text), json.loads(state_text)
            children = list(state["variables"].get("children", {}).values())
            own_asked = state["descendants"] - sum(entry["descendants"] for entry in children)
            own_spent_sec = state["spent_sec"] - sum(entry["spent_sec"] for entry in children)
            own = [this, birth["quota"].get("max_duration_sec"), birth["quota"].get("max_children")]
            if above:
                _write_lineage(tenant, this, {**birth, "lineage": above})
            limits[this] = above if own[1:] == [None, None] else [*above, own]
            in_tree += own_asked
            for name, _, _ in limits[this]:
                spent[name] += own_spent_sec
                asked[name] += own_asked
    for name, most in {one[0]: one[2] for some in limits.values() for one in some}.items():
        _insert_usage(tenant, name, spent[name], asked[name], most)
    change = sa.text("UPDATE trees SET asked = :asked WHERE tenant_id = :tenant AND root_id = :root")
    op.get_bind().execute(change, {"asked": in_tree, "tenant": tenant, "root": root})


def _write_lineage(tenant: str, this: str, birth: dict[str, Any]) -> None:
    change = sa.text("UPDATE instances SET birth = :birth WHERE tenant_id = :tenant AND instance_id = :this")
    op.get_bind().execute(change, {"birth": _text(birth), "tenant": tenant, "this": this})


def _insert_usage(tenant: str, this: str, spent_sec: float, children: int, most: int | None) -> None:
    row = {"tenant": tenant, "this": this, "spent": max(spent_sec, 0.0), "children": children, "most": most}
    op.get_bind().execute(sa.text("INSERT INTO usage VALUES (:tenant, :this, :spent, :children, :most)"), row)
