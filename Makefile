# Two commands do everything on a fresh machine with Python 3.11 and make: `make demo` and `make test`.
PYTHON ?= python3.11
BIN := .venv/bin
PROFILE ?= demo
JOBS ?= $(if $(filter demo,$(PROFILE)),2,1)
ADVISORIES ?= https://api.osv.dev/v1/query

.PHONY: venv demo test faults lab lint audit bench clean

venv: .venv/ready

# The lock is complete, so pip need not resolve (--no-deps); the stamp is written last.
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-deps -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: venv
	$(BIN)/emolab run all --profile $(PROFILE) --jobs $(JOBS)
	$(BIN)/emolab report --profile $(PROFILE)

# In the order of the folders: a long file that xdist would put last would keep one core busy alone.
test: venv
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Every kill and fault in full: 50 random moments and more, about an hour on two cores; the counts stand at the end.
faults: venv
	OMP_NUM_THREADS=1 EMOLAB_FAULTS=full $(BIN)/python -m pytest -n 2 --dist loadfile tests/faults tests/engine/test_map_stages.py

lab: venv
	$(BIN)/emolab lab

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/nbstripout --verify --keep-id --extra-keys "metadata.papermill cell.metadata.papermill" notebooks/*.ipynb
	$(MAKE) --no-print-directory audit

# Known holes in the pinned versions, by the open advisory database (no package registry is asked).
audit: venv
	@if $(BIN)/python -c "import requests; requests.get('$(ADVISORIES)', timeout=10)" 2>/dev/null; \
	then $(BIN)/pip-audit -r requirements.lock --no-deps --disable-pip -s osv --osv-url $(ADVISORIES) --progress-spinner off; \
	else echo "audit skipped: $(ADVISORIES) cannot be reached, so nobody looked for known holes in requirements.lock"; fi

# Some alone: make bench ONLY="frames scoring"
bench: venv
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python tests/benchmarks/run_all.py $(ONLY)

clean:
	rm -rf outputs .pytest_cache .ruff_cache build *.egg-info
