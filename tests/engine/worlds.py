"""Definitions that random histories run: as the product reads them, and as plain data for the model."""

from typing import Any

from chatflow_jupyter.domain.definition_source import parse_definition
from chatflow_jupyter.domain.definition_yaml import read_yaml
from chatflow_jupyter.domain.ids import Sha256, TenantId
from chatflow_jupyter.ports.records import DefinitionRecord
from tests.engine.questions import reference_of
from tests.engine.times import START

LEAF = """
name: leaf
phases:
  - {name: work, notebook: work.ipynb, retries: {max_attempts: 2, backoff_sec: 5}}
"""
BRANCH = """
name: branch
phases:
  - name: split
    notebook: split.ipynb
    children: {schema: leaf, foreach: split.items, key: {field: item}, max_parallel: 1}
  - {name: join, notebook: join.ipynb, gate: {auto: {field: split.n, operator: "<", value: 4}}}
"""
REVIEW = """
name: review
automation_level: 100
phases:
  - {name: collect, notebook: collect.ipynb, retries: {max_attempts: 2}, run_as: tenant}
  - name: files
    children:
      schema: leaf
      foreach: collect.items
      context: {file: {field: item}, n: {field: collect.n}}
      max_parallel: 2
  - name: close
    notebook: close.ipynb
    gate:
      auto: {field: collect.n, operator: "<", value: 3}
      expires_sec: 100
      on_reject: fail
      governed: true
  - {name: publish, notebook: publish.ipynb, gate: {}}
"""
SURVEY = """
name: survey
automation_level: 60
phases:
  - name: fan
    children: {schema: branch, items: [p, q, r], key: {field: item}, max_parallel: 2, on_failure: continue}
  - {name: read, notebook: read.ipynb, when: {field: children.p.status, operator: matches, value: "^comp"}}
  - name: last
    notebook: last.ipynb
    start: {on_trigger: {schema: {type: object, required: [why]}}}
"""
SOLO = """
name: solo
automation_level: 50
quota: {max_duration_sec: 40}
phases:
  - name: one
    notebook: one.ipynb
    retries: {max_attempts: 3, backoff_sec: 4, on: ["timeout"]}
    fallback: rescue
    next: [{when: {field: one.n, operator: ">=", value: 4}, to: end}]
  - {name: rescue, notebook: rescue.ipynb, next: [{to: four}]}
  - name: two
    notebook: two.ipynb
    when: {not: {field: one.n, operator: "==", value: 2}}
    gate: {expires_sec: 50}
    next: [{when: {field: two.n, operator: ">", value: 2}, to: four}]
  - {name: three, notebook: three.ipynb, risk: 55}
  - {name: four, notebook: four.ipynb, start: on_trigger}
"""
NEST = """
name: nest
phases:
  - name: brood
    children: {schema: leaf, items: [x, y], max_parallel: 2, on_failure: continue}
"""
GROVE = """
name: grove
phases:
  - name: trees
    children: {schema: nest, items: [p, q], key: {field: item}}
  - {name: after, notebook: last.ipynb, when: {field: children.q.status, operator: "==", value: completed}}
"""
BOARD = """
name: board
automation_level: 100
phases:
  - {name: draft, notebook: draft.ipynb}
  - name: sign
    notebook: sign.ipynb
    gate:
      approvers: [ann, bob]
      quorum: 2
      expires_sec: 60
      on_expire: escalate
      escalate_to: ["verb:admin"]
      on_reject: {goto: shelve}
    next: [{to: release}]
  - {name: shelve, notebook: shelve.ipynb, next: [{to: end}]}
  - name: release
    notebook: release.ipynb
    gate:
      auto: {field: sign.n, operator: "<", value: 2}
      waivable: true
      expires_sec: 40
      on_expire: approve
  - name: file
    notebook: file.ipynb
    gate: {waivable: true, approvers: ["verb:author"], on_reject: {goto: end}}
"""
EGG = """
name: egg
parameters: {type: object, properties: {n: {type: integer}}, required: [n]}
phases:
  - {name: warm, notebook: warm.ipynb}
"""
HATCH = """
name: hatch
automation_level: 100
quota: {max_children: 3}
phases:
  - name: lay
    notebook: lay.ipynb
    outputs: {required: [n]}
    retries: {max_attempts: 3, on: [timeout, cell_error, invalid_outputs, invalid_children]}
    spawns: {schemas: [leaf, egg], max_parallel: 2}
  - name: brood
    notebook: brood.ipynb
    spawns: {schemas: [egg], on_failure: continue}
    fallback: rescue
    next: [{to: end}]
  - {name: rescue, notebook: rescue.ipynb, spawns: {schemas: [leaf], max_parallel: 1}}
"""
PARCEL = """
name: parcel
phases:
  - {name: pack, notebook: pack.ipynb, compensate: unpack.ipynb}
  - {name: weigh, notebook: weigh.ipynb, retries: {max_attempts: 2, backoff_sec: 5}}
"""
ORDER = """
name: order
automation_level: 50
on_failure: compensate
phases:
  - {name: reserve, notebook: reserve.ipynb, compensate: release.ipynb, retries: {max_attempts: 2}}
  - name: parcels
    children: {schema: parcel, foreach: reserve.items, max_parallel: 2}
    compensate: recall.ipynb
  - name: charge
    notebook: charge.ipynb
    compensate: refund.ipynb
    retries: {max_attempts: 3, backoff_sec: 4}
  - name: ship
    notebook: ship.ipynb
    gate: {auto: {field: charge.n, operator: "<", value: 4}, on_reject: fail}
  - {name: tell, notebook: tell.ipynb, compensate: untell.ipynb, start: on_trigger}
"""
CRATE = """
name: crate
automation_level: 100
on_failure: compensate
quota: {max_duration_sec: 20}
phases:
  - {name: seal, notebook: seal.ipynb, compensate: unseal.ipynb}
  - {name: label, notebook: label.ipynb}
"""
DEPOT = """
name: depot
automation_level: 100
phases:
  - {name: open, notebook: open.ipynb, compensate: shut.ipynb}
  - name: load
    notebook: load.ipynb
    compensate: unload.ipynb
    children: {schema: crate, foreach: load.items, key: {field: item}, max_parallel: 2}
  - name: leave
    notebook: leave.ipynb
    compensate: come_back.ipynb
    spawns: {schemas: [leaf, egg, parcel], max_parallel: 2}
  - {name: rest, notebook: rest.ipynb}
"""
CONVOY = """
name: convoy
automation_level: 100
on_failure: compensate
phases:
  - {name: book, notebook: book.ipynb, compensate: unbook.ipynb}
  - name: spare
    children: {schema: crate, items: [s], on_failure: continue}
  - name: drive
    children: {schema: crate, items: [x, y], max_parallel: 2}
  - {name: arrive, notebook: arrive.ipynb}
"""
TRIP = """
name: trip
automation_level: 60
on_failure: compensate
phases:
  - name: flight
    notebook: flight.ipynb
    compensate: no_flight.ipynb
    retries: {max_attempts: 2}
    run_as: tenant
  - {name: hotel, notebook: hotel.ipynb, compensate: no_hotel.ipynb, compensate_after: start}
  - name: car
    notebook: car.ipynb
    compensate: no_car.ipynb
    when: {field: hotel.n, operator: "<", value: 4}
  - {name: pay, notebook: pay.ipynb}
"""
SHIFT = """
name: shift
deadline_sec: 100
automation_level: 100
phases:
  - {name: hand, notebook: hand.ipynb, deadline_sec: 20, retries: {max_attempts: 3, backoff_sec: 10}}
  - name: lines
    deadline_sec: 60
    children: {schema: line, foreach: hand.items, key: {field: item}, max_parallel: 2, on_failure: continue}
    fallback: stop
    next: [{to: sign}]
  - {name: stop, notebook: stop.ipynb, start: on_trigger, deadline_sec: 100}
  - {name: sign, notebook: sign.ipynb, gate: {expires_sec: 70}, deadline_sec: 60}
"""
LINE = """
name: line
deadline_sec: 150
phases:
  - name: parts
    children: {schema: leaf, items: [p, q], max_parallel: 2}
    deadline_sec: 40
"""
DASH = """
name: dash
deadline_sec: 25
automation_level: 100
phases:
  - {name: run, notebook: run.ipynb, retries: {max_attempts: 4, on: [timeout, cell_error, bad_notebook]}}
  - {name: rest, notebook: rest.ipynb, start: on_trigger}
"""
LOAN = """
name: loan
automation_level: 100
on_failure: compensate
deadline_sec: 120
phases:
  - {name: give, notebook: give.ipynb, compensate: take.ipynb, retries: {max_attempts: 2, backoff_sec: 5}}
  - name: use
    children: {schema: crate, foreach: give.items, max_parallel: 2}
    deadline_sec: 60
  - {name: back, notebook: back.ipynb, start: on_trigger}
"""
CLAN = """
name: clan
automation_level: 100
quota: {max_duration_sec: 90, max_children: 3}
phases:
  - name: bear
    notebook: bear.ipynb
    retries: {max_attempts: 2}
    spawns: {schemas: [leaf, egg], on_failure: continue}
  - name: adopt
    children: {schema: leaf, foreach: bear.items, max_parallel: 2, on_failure: continue}
  - {name: tail, notebook: tail.ipynb}
"""
KIN = """
name: kin
automation_level: 100
quota: {max_duration_sec: 24, max_children: 4}
phases:
  - name: lines
    children: {schema: clan, items: [a, b], max_parallel: 2, on_failure: continue}
  - {name: sum, notebook: sum.ipynb}
"""
TALLY = """
name: tally
automation_level: 60
on_failure: compensate
phases:
  - {name: count, notebook: count.ipynb, cache: inputs, retries: {max_attempts: 3}, run_as: tenant}
  - name: weigh
    notebook: weigh.ipynb
    cache: inputs
    compensate: unweigh.ipynb
    compensate_after: start
    retries: {max_attempts: 3}
  - name: sort
    notebook: sort.ipynb
    cache: inputs
    gate: {auto: {field: weigh.n, operator: "<", value: 4}}
    compensate: unsort.ipynb
  - {name: gather, notebook: gather.ipynb, start: on_trigger}
  - {name: sum, notebook: sum.ipynb, cache: inputs, retries: {max_attempts: 2, backoff_sec: 5}}
"""
TEXTS = {
    "tally": TALLY,
    "clan": CLAN,
    "kin": KIN,
    "nest": NEST,
    "grove": GROVE,
    "leaf": LEAF,
    "branch": BRANCH,
    "review": REVIEW,
    "survey": SURVEY,
    "solo": SOLO,
    "board": BOARD,
    "egg": EGG,
    "hatch": HATCH,
    "parcel": PARCEL,
    "order": ORDER,
    "crate": CRATE,
    "depot": DEPOT,
    "convoy": CONVOY,
    "trip": TRIP,
    "shift": SHIFT,
    "line": LINE,
    "loan": LOAN,
    "dash": DASH,
}
PLAIN: dict[str, Any] = {name: read_yaml(text, file=name).value for name, text in TEXTS.items()}
ROOTS = ("kin", "hatch", "board", "grove", "review", "survey", "solo", "branch")
TIMED = ("shift", "loan", "dash")
"""Roots with deadlines: in every third history some are among the others."""
UNDONE = ("trip", "order", "depot", "crate", "convoy")
"""Roots whose phases can be undone: some histories are about them only."""
DEFINITIONS = {name: parse_definition(text, file=f"{name}.yaml") for name, text in TEXTS.items()}


def records(tenant_id: TenantId) -> list[DefinitionRecord]:
    """Return the definitions as published, children pinned."""
    pins = {name: reference_of(definition) for name, definition in DEFINITIONS.items()}
    return [
        DefinitionRecord(
            tenant_id=tenant_id,
            reference=pins[name],
            definition=definition,
            bundle_sha256=Sha256("0" * 64),
            entry="definition.yaml",
            pins=pins,
            published_at=START,
        )
        for name, definition in DEFINITIONS.items()
    ]
