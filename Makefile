# clickscore: `make` prints what it can do.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
JOB    := $(BIN)/python
CONFIG ?= conf/local.yaml
# uv installs packages without bytecode; a process that must not write it would compile MLflow and pandas at each start.
unexport PYTHONDONTWRITEBYTECODE

RATE       ?= 1000
KAFKA_PORT ?= 9092
SHAPES_PORT ?= 5077
BROWSER    := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
KAFKA      := --servers 127.0.0.1:$(KAFKA_PORT)
# Least per cent of the lines and branches that tests cover: of the package, and of the path of a click.
COVERED      := 96
COVERED_PATH := 97
CHAOS      ?=
BENCH      ?=
LATENCY    ?=
GROWTH     ?=
# 1980-01-02, the first whole day that a zip file knows in every time zone.
EPOCH      := 315619200
MOMENT     := 198001020000
KAFKA_RUN  := --set source.bootstrap_servers=127.0.0.1:$(KAFKA_PORT)

##@ Start

.PHONY: setup
setup: java $(VENV)/.ready build/jars/.spark-ready ## Create .venv with the pinned packages, and build/jars

.PHONY: setup-kafka
setup-kafka: setup $(VENV)/.demos-ready build/jars/.broker-ready

.PHONY: setup-dev
setup-dev: setup-kafka $(VENV)/.dev-ready

.PHONY: setup-bench
setup-bench: setup-kafka $(VENV)/.bench-ready

.PHONY: demo
demo: setup ## Simulate clicks, train and register a model, score the clicks, show what came out
	$(JOB) jobs/simulate_clicks.py --folder build/demo/history --clicks 200000 --days 21 --start 2026-03-01 --seed 1
	$(JOB) jobs/simulate_clicks.py --folder build/demo/landing --clicks 200000 --days 7 --start 2026-03-22 --seed 2 \
	  --malformed 0.002 --duplicate 0.005 --late 0.01
	$(JOB) jobs/train_model.py --config $(CONFIG) --once
	$(JOB) jobs/score_stream.py --config $(CONFIG)
	$(JOB) jobs/join_outcomes.py --config $(CONFIG)

.PHONY: demo-kafka
demo-kafka: setup-kafka ## The same over Kafka: clicks keep arriving while the stream scores them
	$(JOB) jobs/simulate_clicks.py --folder build/demo/history --clicks 200000 --days 21 --start 2026-03-01 --seed 1
	$(JOB) jobs/train_model.py --config conf/kafka.yaml --once
	@# The stream runs in the background while the clicks come; when the witness has seen all of them, it is stopped.
	@# Whatever happens, the broker is stopped at the end.
	trap '$(JOB) -m shopsim.broker down' EXIT; \
	  $(JOB) -m shopsim.broker up --port $(KAFKA_PORT) \
	  && $(JOB) jobs/simulate_clicks.py --to kafka $(KAFKA) --clicks 50000 --start 2026-03-22 --malformed 0.002 \
	  || exit 1; \
	  $(JOB) jobs/score_stream.py --config conf/kafka.yaml $(KAFKA_RUN) & job=$$!; \
	  $(JOB) jobs/simulate_clicks.py --to kafka $(KAFKA) --rate 2000 --clicks 100000 --seed 3 --malformed 0.002 \
	  && $(JOB) -m shopsim.witness --config conf/kafka.yaml $(KAFKA) --job $$job; seen=$$?; \
	  kill -TERM $$job; wait $$job && exit $$seen

.PHONY: demo-models
demo-models: setup $(VENV)/.demos-ready ## The model changes while the stream runs: challenger, promotion, poison clicks, a tampered version
	rm -rf build/demo-models && mkdir -p build/demo-models/landing
	$(JOB) jobs/simulate_clicks.py --folder build/demo/history --clicks 200000 --days 21 --start 2026-03-01 --seed 1
	$(JOB) jobs/train_model.py --config conf/models.yaml --once
	@# The stream and its clicks run in the background, while a second model is trained, compared and promoted. Its
	@# visits are told by what they do within 30 seconds: the demo does not last a day. The comparison asks for 30 visitors
	@# who bought something; there are enough of them 45 seconds after the challenger has moved.
	$(JOB) jobs/score_stream.py --config conf/models.yaml & job=$$!; trap 'kill -TERM $$job' EXIT; \
	  $(JOB) jobs/simulate_clicks.py --folder build/demo-models/landing --rate $(RATE) --clicks $$((150 * $(RATE))) \
	    --seed 5 --malformed 0.001 --poison 0.0005 & clicks=$$!; \
	  $(JOB) jobs/train_model.py --config conf/models.yaml --set training.algorithm=xgboost --alias challenger \
	  && sleep 45 && $(JOB) jobs/promote_model.py --config conf/models.yaml --set outcome.window="30 seconds" --no-dry-run \
	  && sleep 15 && $(JOB) -m shopsim.tamper --config conf/models.yaml && wait $$clicks \
	  && $(JOB) -m shopsim.model_witness --config conf/models.yaml --job $$job; seen=$$?; \
	  trap - EXIT; kill -TERM $$job; wait $$job && exit $$seen

SHAPES   := build/demo-shapes
REGISTRY := sqlite:///$(SHAPES)/mlflow.db
# Where a shape writes, beside the tables of the stream. $(1): its name.
into = --set output.scored=$(SHAPES)/$(1)/scored_clicks --set output.rejected=$(SHAPES)/$(1)/rejected_clicks \
  --set checkpoint=$(SHAPES)/$(1)/checkpoint
# The model behind somebody's endpoint: MLflow's own server, asked with the example that was logged with the model.
ENDPOINT := model={uri: "endpoint:http://127.0.0.1:$(SHAPES_PORT)/invocations", endpoint: {name: click_propensity, \
  version: "1", example: $(SHAPES)/model/serving_input_example.json}}

.PHONY: demo-shapes
demo-shapes: setup $(VENV)/.shapes-ready ## Score the same clicks as a stream, as a batch, over HTTP, embedded and through an endpoint
	rm -rf $(SHAPES) && mkdir -p $(SHAPES)/landing $(SHAPES)/nothing
	$(JOB) jobs/simulate_clicks.py --folder build/demo/history --clicks 200000 --days 21 --start 2026-03-01 --seed 1
	$(JOB) jobs/simulate_clicks.py --folder $(SHAPES)/landing --clicks 20000 --days 1 --start 2026-03-22 --seed 4 --malformed 0.01
	$(JOB) jobs/train_model.py --config conf/shapes.yaml
	$(JOB) jobs/train_model.py --config conf/shapes.yaml --set training.holdout=0.5 --alias next
	$(JOB) jobs/score_stream.py --config conf/shapes.yaml
	@# The batch: a stream that has nothing to read begins the tables, and a backfill scores the same files into them.
	$(JOB) jobs/score_stream.py --config conf/shapes.yaml $(call into,batch) --set source.path=$(SHAPES)/nothing
	$(JOB) jobs/score_batch.py --config conf/shapes.yaml $(call into,batch) --set source.path=$(SHAPES)/nothing \
	  --files $(SHAPES)/landing
	$(JOB) jobs/export_model.py --config conf/shapes.yaml --out $(SHAPES)/embedded
	MLFLOW_TRACKING_URI=$(REGISTRY) $(BIN)/mlflow artifacts download --dst-path $(SHAPES)/model \
	  --artifact-uri models:/click_propensity@champion
	@# The servers run in the background; whatever happens, they are stopped at the end. MLflow looks for uvicorn on the PATH.
	PATH="$(CURDIR)/$(BIN):$$PATH" mlflow models serve --env-manager local --port $(SHAPES_PORT) --model-uri $(SHAPES)/model \
	    >$(SHAPES)/endpoint.log 2>&1 & endpoint=$$!; \
	  $(JOB) jobs/serve.py --config conf/shapes.yaml >$(SHAPES)/service.log 2>&1 & service=$$!; \
	  trap 'kill -TERM $$endpoint $$service' EXIT; \
	  $(JOB) jobs/score_stream.py --config conf/shapes.yaml $(call into,endpoint) --set '$(ENDPOINT)' \
	  && until grep -q 'answers at' $(SHAPES)/service.log; do kill -0 $$service || exit 1; sleep 0.2; done \
	  && $(JOB) -m shopsim.shapes --config conf/shapes.yaml --tables batch $(SHAPES)/batch --tables endpoint $(SHAPES)/endpoint \
	    --service "$$(sed -n 's/.*answers at //p' $(SHAPES)/service.log)" --folder $(SHAPES)/embedded
	@# What would the second version have done?
	$(JOB) jobs/score_batch.py --config conf/shapes.yaml --alias next --compare
	@if command -v node >/dev/null && command -v npm >/dev/null; then \
	  mkdir -p build/embedded-node && cp conf/embedded/node/* build/embedded-node/ \
	  && npm ci --silent --ignore-scripts --no-audit --no-fund --prefix build/embedded-node \
	  && node build/embedded-node/check.mjs $(SHAPES)/embedded; \
	  else echo "Node.js is not installed: its program did not score the exported folder"; fi

FORGET     := build/demo-forget
FORGET_IDS := --config conf/forget.yaml --ids $(FORGET)/ids.txt

.PHONY: demo-forget
demo-forget: setup $(VENV)/.demos-ready ## Erase three visitors beside the running stream, and prove that they are gone
	rm -rf $(FORGET) && mkdir -p $(FORGET) && openssl rand -hex 32 >$(FORGET)/erasure.key
	$(JOB) jobs/simulate_clicks.py --folder $(FORGET)/history --clicks 50000 --days 14 --start 2026-03-01 --seed 1
	$(JOB) jobs/simulate_clicks.py --folder $(FORGET)/landing --clicks 20000 --days 1 --start 2026-03-22 --seed 2 \
	  --malformed 0.01
	$(JOB) jobs/train_model.py --config conf/forget.yaml --once
	@# The stream and more clicks run in the background, while three visitors are erased.
	$(JOB) jobs/score_stream.py --config conf/forget.yaml & job=$$!; \
	  $(JOB) jobs/simulate_clicks.py --folder $(FORGET)/landing --rate 100 --seed 6 >/dev/null & clicks=$$!; \
	  trap 'kill -TERM $$job $$clicks' EXIT; \
	  $(JOB) -m shopsim.forget choose $(FORGET_IDS) \
	  && $(JOB) jobs/erase_visitors.py $(FORGET_IDS) \
	  && $(JOB) jobs/erase_visitors.py $(FORGET_IDS) --reference "request 1 of the demo" --apply; erased=$$?; \
	  trap - EXIT; kill -TERM $$clicks; kill -TERM $$job; wait $$job && exit $$erased
	@# A click that came while the rows were counted was scored as usual; the same command takes it as well.
	$(JOB) jobs/erase_visitors.py $(FORGET_IDS) --reference "request 1 of the demo" --apply
	@# A real table keeps old files for a week, and --finish comes after that.
	$(JOB) -m shopsim.forget expire $(FORGET_IDS)
	$(JOB) jobs/erase_visitors.py $(FORGET_IDS) --finish --certificate $(FORGET)/certificate.json
	$(JOB) -m shopsim.forget prove $(FORGET_IDS)
	$(JOB) jobs/audit.py --config conf/forget.yaml
	$(JOB) -m shopsim.forget lose $(FORGET_IDS)
	@# This audit has to end with 1.
	$(JOB) jobs/audit.py --config conf/forget.yaml; test $$? -eq 1

.PHONY: demo-trackers
demo-trackers: $(VENV)/.ready ## Score samples of Snowplow, Segment, GA4, PostHog and a plain shop; needs no Java
	$(JOB) -m shopsim.trackers

.PHONY: serve
serve: $(VENV)/.service-ready ## Answer clicks over HTTP with the model of the demo; needs no Java; CONFIG=conf/local.yaml
	$(JOB) jobs/serve.py --config $(CONFIG)

.PHONY: report
report: $(VENV)/.report-ready ## One HTML page about the run of the demo; needs no Java; CONFIG=conf/local.yaml REPORT="--by device"
	$(JOB) jobs/report.py --config $(CONFIG) --out build/report.html $(REPORT)

.PHONY: kafka-up
kafka-up: setup-kafka ## Start a Kafka broker on this machine; KAFKA_PORT=9092
	$(JOB) -m shopsim.broker up --port $(KAFKA_PORT)

.PHONY: kafka-down
kafka-down: $(VENV)/.demos-ready ## Stop it; its data stays in build/kafka
	$(JOB) -m shopsim.broker down

##@ Develop

.PHONY: test
test: setup-dev package environment build/test/spark.jsa ## Run all tests, in two processes; the slowest first, and named at the end
	@$(if $(BROWSER),,echo "Chromium is missing, so tests/browser is left out: apt install chromium")
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 40 --cov --cov-report= \
	  $(if $(BROWSER),,--ignore tests/browser)
	@# Lines and branches. A change that falls below one of these covers less than there was.
	$(BIN)/python -m coverage report --fail-under $(COVERED)
	$(BIN)/python -m coverage report --fail-under $(COVERED_PATH) --include 'lib/clickscore/scoring/*,lib/clickscore/stream/*'

.PHONY: chaos
chaos: setup-dev ## Inject faults into the job, and check that nothing is lost or duplicated
	$(JOB) -m tests.chaos $(CHAOS)

.PHONY: check
check: $(VENV)/.dev-ready ## Check format, lint, spelling and types; needs no Java
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m ruff check
	$(BIN)/python -m codespell_lib
	$(BIN)/python -m mypy

.PHONY: format
format: $(VENV)/.check-ready ## Put the code into its format
	$(BIN)/python -m ruff format
	$(BIN)/python -m ruff check --fix

.PHONY: docs
docs: $(VENV)/.docs-ready ## Build the site of docs/ in build/site; a link that leads nowhere is an error
	$(BIN)/python -m docs.generate --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict --config-file docs/site/mkdocs.yml
	@echo "built: $(JOB) -m http.server --directory build/site, then http://localhost:8000"

.PHONY: components
components: $(VENV)/.ready build/audit/.ready ## List the packages of .venv as CycloneDX, with licenses, in build/components.cdx.json
	build/audit/bin/cyclonedx-py environment $(VENV) --pyproject pyproject.toml --output-reproducible --output-file build/components.cdx.json

.PHONY: vulnerabilities
vulnerabilities: $(VENV)/.ready build/audit/.ready ## Ask the package index for known vulnerabilities of the packages of .venv
	build/audit/bin/pip-audit --path "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" --skip-editable

.PHONY: bench
bench: setup-bench ## Measure the job against its alternatives, half an hour; BENCH="--arms product recipe"
	$(JOB) -m benchmarks.throughput $(BENCH)

.PHONY: bench-quick
bench-quick: setup-bench ## The same with the essential arms only, in less than five minutes
	$(JOB) -m benchmarks.throughput --quick $(BENCH)

.PHONY: bench-stages
bench-stages: setup-bench ## Measure step by step where the time of a click goes
	$(JOB) -m benchmarks.stages

.PHONY: bench-udf
bench-udf: setup-bench ## Measure the kinds of Python function that could hold the scorer
	$(JOB) -m benchmarks.udf_kinds

.PHONY: bench-parse
bench-parse: setup-bench ## Measure the two ways to parse clicks
	$(JOB) -m benchmarks.parse

.PHONY: bench-wire
bench-wire: setup-bench ## Measure Avro and Protobuf against JSON
	$(JOB) -m benchmarks.wire

.PHONY: bench-sources
bench-sources: setup-bench ## Measure Kafka against the landing folder, with and without the search for duplicates
	$(JOB) -m benchmarks.sources

.PHONY: bench-batch
bench-batch: setup-bench ## Measure a backfill against the stream, 5 min
	$(JOB) -m benchmarks.batch

.PHONY: bench-models
bench-models: setup-bench ## Measure what isolation, a challenger, a swap and a pause cost
	$(JOB) -m benchmarks.models

.PHONY: bench-latency
bench-latency: setup-bench ## Measure how old a click is when its score can be read, 80 min; LATENCY="--rates 1000"
	$(JOB) -m benchmarks.latency $(LATENCY)

.PHONY: bench-growth
bench-growth: setup-bench ## Measure small micro-batches while table and folder grow, an hour; GROWTH="--commits 100"
	$(JOB) -m benchmarks.growth $(GROWTH)

.PHONY: bench-service
bench-service: $(VENV)/.bench-ready ## Measure the microservice against `mlflow models serve`, 3 min; needs no Java
	$(JOB) -m benchmarks.service

.PHONY: bench-embedded
bench-embedded: $(VENV)/.bench-ready ## Measure the first score and the memory of an exported folder, 1 min; needs no Java
	$(JOB) -m benchmarks.embedded

.PHONY: bench-report
bench-report: $(VENV)/.bench-ready ## Measure the report over ten million clicks, 3 min; needs no Java
	$(JOB) -m benchmarks.report

.PHONY: bench-scale
bench-scale: setup-bench ## Measure 64 partitions, and commits of 1,000 files
	$(JOB) -m benchmarks.scale

.PHONY: package
package: dist/clickscore.zip ## Build dist/clickscore.zip for --py-files, and the wheel for Databricks

.PHONY: environment
environment: dist/environment.tar.gz ## Pack the Python packages that a cluster needs, for --archives

.PHONY: clean
clean: ## Remove what the demo and the tests have left; keeps .venv and build/jars
	if [ -e build/kafka/broker.pid ]; then $(JOB) -m shopsim.broker down; fi
	rm -rf build/demo build/demo-kafka build/demo-models build/demo-shapes build/kafka build/chaos build/test build/report.html dist .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache

# The parts

.PHONY: java
java:
	@version=$$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p'); \
	  [ "$$version" = 17 ] || [ "$$version" = 21 ] \
	  || { echo "Java 17 or 21 is missing: apt install openjdk-17-jre-headless, or brew install openjdk@17"; exit 2; }

# Installs packages with uv, which is fast, or else with pip; the pins are the same. $(1): what to install.
define install
	@mkdir -p build
	@$(BIN)/python -m uv pip install --quiet $(1) >build/setup.log 2>&1 \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check $(1) >>build/setup.log 2>&1 \
	  || { echo "The Python packages cannot be installed: check the network and pip's index; build/setup.log has the details"; exit 2; }
endef

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is missing: apt install python3 python3-venv, or brew install python"; exit 2; }
	@$(PYTHON) -m venv $(VENV) >/dev/null \
	  || { rm -rf $(VENV); echo "The Python module venv is missing: apt install python3-venv"; exit 2; }

# uv, and a pip that knows dependency groups, whichever can be had.
$(VENV)/.installer: | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1" >/dev/null 2>&1 || true
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv >/dev/null 2>&1 || true
	@touch $@

$(VENV)/.ready: requirements.txt pyproject.toml | $(VENV)/.installer
	$(call install,-r requirements.txt)
	$(call install,--no-deps --no-build-isolation --editable .)
	@# Spark reads its settings from $$SPARK_HOME/conf: PySpark's home gets ours. And .venv/bin/spark-submit looks for
	@# that home under this name, so that it works without activating the environment.
	@ln -sfn "$$($(BIN)/python -c 'import pyspark; print(pyspark.__path__[0])')" $(BIN)/spark-distribution
	@ln -sfn "$(CURDIR)/conf/spark" $(BIN)/spark-distribution/conf
	@touch $@

# The classes of Spark as the JVM has them in memory, which halves the CPU time of the jobs that the tests start.
build/test/spark.jsa: $(VENV)/.dev-ready build/jars/.spark-ready
	$(BIN)/python -m tests.support.class_archive

# A group of packages beyond those of the product, by its name in pyproject.toml.
$(VENV)/.%-ready: pyproject.toml $(VENV)/.ready | $(VENV)/.installer
	$(call install,--group $*)
	@touch $@

# What lists and judges packages stands in an environment of its own, or it would be on the list.
build/audit/.ready: pyproject.toml | $(VENV)/.installer
	@rm -rf build/audit && $(PYTHON) -m venv build/audit && build/audit/bin/pip install --quiet --disable-pip-version-check "pip>=25.1"
	@build/audit/bin/pip install --quiet --disable-pip-version-check --group audit
	@touch $@

# The jars of a configuration in conf/ivy.xml: `spark` for every session, `broker` for the local Kafka broker.
build/jars/.%-ready: conf/ivy.xml $(VENV)/.ready
	@rm -rf build/jars/$* && mkdir -p build/jars
	@java -jar "$$($(BIN)/python -c 'import glob, pyspark; print(*glob.glob(pyspark.__path__[0] + "/jars/ivy-*.jar"))')" \
	  -ivy conf/ivy.xml -confs $* -warn -types jar bundle -retrieve "build/jars/[conf]/[artifact]-[revision].[ext]" \
	  >build/jars.log 2>&1 \
	  || { echo "The $* jars cannot be fetched: check the network; build/jars.log has the details"; exit 2; }
	@touch $@

dist/clickscore.zip: $(VENV)/.package-ready Makefile pyproject.toml README.md LICENSE $(wildcard conf/trackers/*/*) \
  $(shell find lib jobs -name '*.py' -o -name 'page.*')
	rm -rf dist/*.whl build/zip build/lib build/bdist.*
	@# The same sources give the same bytes: every file in both archives has this time and these rights.
	umask 022 && SOURCE_DATE_EPOCH=$(EPOCH) $(BIN)/python -m build --quiet --wheel --no-isolation
	@# The files of the wheel in a zip: Spark ships a .zip to the executors, but not a .whl.
	umask 022 && $(BIN)/python -m zipfile -e dist/*.whl build/zip
	find build/zip -exec touch -t $(MOMENT) {} +
	$(BIN)/python -m zipfile -c dist/clickscore.zip build/zip/clickscore build/zip/shopsim
	@rm -rf build/zip build/lib build/bdist.*
	@touch $@

# All that the job imports on a cluster, without Spark and without itself: those come with the cluster and with the zip.
dist/environment.tar.gz: pyproject.toml requirements.txt $(VENV)/.package-ready
	rm -rf build/environment $@ && mkdir -p dist
	$(PYTHON) -m venv build/environment
	build/environment/bin/pip install --quiet --disable-pip-version-check --constraint requirements.txt \
	  $$($(BIN)/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	    print(*["".join(d.split()) for d in p["dependencies"] + p["optional-dependencies"]["cluster"]])')
	@# It declares PySpark, of which a cluster must have one only.
	build/environment/bin/pip install --quiet --disable-pip-version-check --constraint requirements.txt --no-deps delta-spark
	build/environment/bin/pip uninstall --quiet --yes pip setuptools
	$(BIN)/venv-pack --quiet --prefix build/environment --output $@ --compress-level 1
	rm -rf build/environment

.PHONY: help
help:
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
