# Two commands set everything up: `make demo` and `make test`. `make help` lists the rest.
# They need git, make and python3.11 with venv, and install the rest into .venv.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test bench chaos dist pins format clean

help: ## what there is to make
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' Makefile | expand -t 14

demo: ## a review of a small repository: runs, is killed, resumes, waits for a person
	@.ci/environment demo
	@.venv/bin/chatflow demo

test: ## house checks and all tests; narrower: make test ONLY="tests/unit -k gate"
	@.ci/environment test
	@.ci/check $(ONLY)

bench: ## the speed and memory promises, as ratios, in one go
	@.ci/environment test
	@.venv/bin/python -m benchmarks

chaos: ## the tests that kill processes at random moments, many more times
	@.ci/environment test
	@CHATFLOW_TEST_LOAD=large .venv/bin/python -m pytest -m chaos tests

dist: ## wheel and sdist in dist/
	@.ci/environment test
	@rm -rf dist
	@.venv/bin/python -m build --no-isolation --outdir dist .

pins: ## resolve requirements/*.txt anew (keeps what still fits; UPGRADE=--upgrade for the newest)
	@.ci/environment test
	@.ci/pins $(UPGRADE)

format: ## sort imports, format, fix what can be fixed safely
	@.ci/environment test
	@.venv/bin/ruff check --fix-only . && .venv/bin/ruff format .

clean: ## remove what was built; the environment too
	@rm -rf .venv .cache build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
