# `make` alone lists what there is. Nothing has to be installed but Go, bash and git: the tools and the local
# Kubernetes are built here, from modules that go.sum pins, into bin/.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help
# Each build uses all the cores by itself.
.NOTPARALLEL:

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
IMG ?= testrun.invalid/testrun:dev
RUNNER_IMG ?= testrun.invalid/runner:dev
SERVER_IMG ?= testrun.invalid/server:dev
JOBTABLE_IMG ?= testrun.invalid/jobtable:dev
# The programs that run in a cluster. Each has an image; that of the manager is called testrun here, and manager in a release.
PROGRAMS := manager runner server jobtable
# What `make deploy` applies: config/default, the operator, or config/archive, the operator and the server.
CONFIG ?= config/default
CLUSTER ?= local
# What `make cluster-deploy` applies. The local cluster has no storage classes.
CLUSTER_CONFIG ?= config/archive-ephemeral

# Building asks nothing of git: the version is given with -ldflags.
GOFLAGS ?= -buildvcs=false
export GOFLAGS

LOCAL_CLUSTER := go run -C hack/cluster .
LOCAL_IMAGES := $(patsubst manager,testrun,$(PROGRAMS))
RENDER = bin/tools/kustomize build $(CONFIG) | sed -e 's|testrun.invalid/testrun:dev|$(IMG)|' \
	-e 's|testrun.invalid/runner:dev|$(RUNNER_IMG)|' -e 's|testrun.invalid/server:dev|$(SERVER_IMG)|' \
	-e 's|testrun.invalid/jobtable:dev|$(JOBTABLE_IMG)|'
IN_LOCAL_CLUSTER := KUBECONFIG=$(CURDIR)/.cluster/kubeconfig PATH=$(CURDIR)/bin/k8s:$$PATH
GO_TEST := $(CURDIR)/bin/tools/gotestsum --format=pkgname-and-test-fails --format-hide-empty-pkg --
# Where the tests find an API server: in the folder that KUBEBUILDER_ASSETS names, or else in bin/k8s, where it is built.
# setup-envtest brings no kube-controller-manager, so that one is built when the folder does not have it.
ASSETS := $(or $(KUBEBUILDER_ASSETS),$(CURDIR)/bin/k8s)
ifeq ($(ASSETS),$(CURDIR)/bin/k8s)
ENVTEST_BUILDS := kube-apiserver etcd kube-controller-manager kubectl
else
ENVTEST_BUILDS := $(if $(wildcard $(ASSETS)/kube-controller-manager),,kube-controller-manager)
endif
RELEASE := go run -C hack/release .
# Where the images and the chart of a release are pulled from, and its files downloaded from.
REGISTRY ?=
DOWNLOAD_URL ?=
# What a release is called if nobody says: the tag of the commit, or a version made of its time and hash.
RELEASE_VERSION := $(if $(filter file,$(origin VERSION)),,$(VERSION))
# The modules beside that of the operator that have tests, and are linted.
HACK_MODULES := hack/cluster hack/release hack/tools test/alerts

.PHONY: help
help:
	@awk -f hack/help.awk $(MAKEFILE_LIST)

##@ Use it

.PHONY: demo
demo: bin/tools/kustomize ## See it work: a cluster, the operator, the server, the samples (CLUSTER=local, current or kind)
	@CLUSTER=$(CLUSTER) IMG=$(IMG) RUNNER_IMG=$(RUNNER_IMG) SERVER_IMG=$(SERVER_IMG) hack/demo.sh up

.PHONY: demo-page
demo-page: ## Open the demo's page, and print a token to log in with
	@CLUSTER=$(CLUSTER) hack/demo.sh page

.PHONY: demo-jobtable
demo-jobtable: cluster-deploy shop-images ## See a click in a web application with a job table become a finished row with its steps, on the local cluster
	$(IN_LOCAL_CLUSTER) hack/demo-jobtable.sh

.PHONY: demo-down
demo-down: bin/tools/kustomize ## Remove what the demo made
	@CLUSTER=$(CLUSTER) IMG=$(IMG) RUNNER_IMG=$(RUNNER_IMG) SERVER_IMG=$(SERVER_IMG) hack/demo.sh down

##@ Develop

.PHONY: run
run: ## Run the operator here, from source, against the current context's cluster (RUNNER_IMG: an image that it can pull)
	@RUNNER_IMG=$(RUNNER_IMG) hack/run.sh

.PHONY: test
test: bin/tools/gotestsum bin/tools/helm bin/tools/kustomize bin/tools/cyclonedx-gomod envtest-binaries postgres mariadb pgbouncer chromium axe ## Run the unit tests, and those against a real API server, real databases and a real browser (RACE=1: with the race detector)
	KUBEBUILDER_ASSETS=$(ASSETS) $(GO_TEST) $(if $(RACE),-race) $$(go list ./... | grep -v /test/e2e)
	for module in $(HACK_MODULES); do (cd $$module && $(GO_TEST) $$(go list ./... | grep -v /e2e)); done

.PHONY: test-e2e
test-e2e: bin/tools/gotestsum chromium cluster-deploy bin/images/test-tools.tar shop-images ## Run the end-to-end tests on the local cluster (RUN=regexp: only those)
	$(LOCAL_CLUSTER) load-image $(CURDIR)/bin/images/test-tools.tar
	$(IN_LOCAL_CLUSTER) $(GO_TEST) -count=1 -timeout=60m $(if $(RUN),-run='$(RUN)') ./test/e2e/...

.PHONY: test-chart
test-chart: bin/tools/gotestsum bin/tools/helm cluster-deploy ## Take a release of the chart through its life on the local cluster: install, upgrade from the commit before, roll back, uninstall
	hack/chart-before.sh
	$(IN_LOCAL_CLUSTER) $(GO_TEST) -count=1 -timeout=20m ./test/e2e-chart/...

.PHONY: test-kueue
test-kueue: bin/tools/gotestsum cluster-deploy cluster-kueue ## Run the end-to-end tests that are about Kueue, with Kueue itself in the local cluster
	$(IN_LOCAL_CLUSTER) $(CURDIR)/bin/k8s/kubectl apply -k config/kueue
	status=0; $(IN_LOCAL_CLUSTER) $(GO_TEST) -count=1 -timeout=30m -run=Kueue ./test/e2e/... $(RECORD) || status=$$?; \
		$(IN_LOCAL_CLUSTER) $(CURDIR)/bin/k8s/kubectl delete -k config/kueue; $(MAKE) cluster-kueue-down; exit $$status

.PHONY: test-flux
test-flux: bin/tools/gotestsum cluster-deploy cluster-flux ## Run the end-to-end tests that are about Flux, with Flux itself in the local cluster
	status=0; $(IN_LOCAL_CLUSTER) $(GO_TEST) -count=1 -timeout=30m -run=Flux ./test/e2e/... || status=$$?; \
		$(MAKE) cluster-flux-down; exit $$status

.PHONY: record-runs
record-runs: RECORD := -args -record=../recorded/runs
record-runs: envtest-binaries cluster-deploy bin/images/test-tools.tar ## Record a run of each state that test/recorded/runs lacks, from the tests of the controller and those end to end
	KUBEBUILDER_ASSETS=$(ASSETS) go test ./test/controller ./test/security -count=1 -timeout=30m $(RECORD)
	$(LOCAL_CLUSTER) load-image $(CURDIR)/bin/images/test-tools.tar
	$(IN_LOCAL_CLUSTER) go test ./test/e2e -count=1 -timeout=60m $(RECORD)
	$(MAKE) test-kueue RECORD='$(RECORD)'

# These run in the folder of their package, so that go test shows what they print.
FAULTS := KUBEBUILDER_ASSETS=$(ASSETS) go test -C test/faults -count=1 -timeout=60m

.PHONY: test-faults
test-faults: envtest-binaries ## Try each fault at each point of each scenario, against a real API server (RUN=regexp: only those)
	$(FAULTS) -points=all -run='$(or $(RUN),TestEveryRunKeepsItsPromises)'

.PHONY: archive-faults
archive-faults: envtest-binaries postgres ## Try each fault of the archive at each point, on SQLite and PostgreSQL (RUN=regexp: only those tests)
	KUBEBUILDER_ASSETS=$(ASSETS) hack/points.sh 'faults of the archive' '$(RUN)' internal/archive internal/runner internal/server test/server

.PHONY: jobtable-faults
jobtable-faults: envtest-binaries postgres mariadb ## Have something strike at each call of a job table's program, on PostgreSQL and MariaDB (RUN=regexp: only those tests)
	KUBEBUILDER_ASSETS=$(ASSETS) hack/points.sh 'faults of job tables' '$(RUN)' internal/jobtable

SEED ?= 0

.PHONY: soak
soak: envtest-binaries ## Execute RUNS runs while faults strike at random (SEED: those of that seed)
	$(FAULTS) -run=TestSoak -runs=$(or $(RUNS),500) -seed=$(SEED)

.PHONY: hostile-scale
hostile-scale: envtest-binaries ## Have WAITING runs of the largest size wait, and see the operator's memory and another namespace's starts
	KUBEBUILDER_ASSETS=$(ASSETS) go test -C test/security -count=1 -timeout=60m -v -run=TestWaitingRuns -waiting=$(or $(WAITING),1000)

ROUNDS ?= 5

.PHONY: queue-scale
queue-scale: envtest-binaries ## Count what runs while operators follow one another 20 times, and who starts after a burst of 5,000
	KUBEBUILDER_ASSETS=$(ASSETS) go test -C test/queues -count=1 -timeout=60m -v -runs=2400 -changes=20 -burst=5000

.PHONY: bench
# What is compared are runs and Jobs, without a server, but for ONLY=archived-runs.
bench: CLUSTER_CONFIG = $(if $(filter archived-runs,$(ONLY)),config/archive-ephemeral,config/default)
bench: cluster-deploy ## Compare RUNS runs with as many bare Jobs, on the local cluster, ROUNDS times (ONLY=pods: only that; docs/benchmarks.md)
	$(LOCAL_CLUSTER) simulate 10
	$(IN_LOCAL_CLUSTER) go run ./test/bench -runs=$(or $(RUNS),1000) -rounds=$(ROUNDS) $(if $(ONLY),-only=$(ONLY))

.PHONY: bench-scale
bench-scale: build envtest-binaries ## Measure the operator while finished runs are kept (KEPT=1000,5000: so many); needs no cluster
	go run ./test/bench -only=scale -json=bin/bench-scale.json $(if $(KEPT),-kept=$(KEPT))

.PHONY: bench-archive
bench-archive: postgres ## Fill SQLite and PostgreSQL with CASES cases (10 million by default: 20 minutes), and measure the archive; needs no cluster
	go run ./test/archive $(if $(CASES),-cases=$(CASES))

.PHONY: bench-jobtable
bench-jobtable: envtest-binaries postgres ## Measure a job table with ROWS pending rows (100,000 by default: half an hour), and PAIRS runs of pgbench without the program and with it; needs no cluster
	KUBEBUILDER_ASSETS=$(ASSETS) go run ./test/jobtable/bench -rows=$(or $(ROWS),100000) -pairs=$(or $(PAIRS),30)

.PHONY: bench-pages
bench-pages: build envtest-binaries chromium ## Measure the pages: 200 open ones while runs finish, and lists with CASES cases kept (1 million by default); needs no cluster
	go run ./test/archive -databases=sqlite -cases=$(or $(CASES),1000000) -reads=1
	KUBEBUILDER_ASSETS=$(ASSETS) go run ./test/pages/bench -cases=$(or $(CASES),1000000) \
		-database=sqlite:$(CURDIR)/bin/bench-archive/$(or $(CASES),1000000).db

.PHONY: bench-readers
bench-readers: ## Compare the readers of results with encoding/json and encoding/xml, and the runner with cat and with nothing
	go test -run='^$$' -bench=. -benchmem -benchtime=2s ./internal/results/... ./internal/supervise ./internal/runner/program

FUZZTIME ?= 10m

.PHONY: pages
pages: envtest-binaries ## Serve the pages with made-up runs, to look at while you change them (ADDRESS=127.0.0.1:18444)
	KUBEBUILDER_ASSETS=$(ASSETS) go run ./test/pages/serve -address=$(or $(ADDRESS),127.0.0.1:18444)

.PHONY: pages-pictures
pages-pictures: envtest-binaries chromium axe ## Look at every page in a browser: pictures of all into bin/pictures, and those of docs/page.md anew
	KUBEBUILDER_ASSETS=$(ASSETS) go test ./test/browser -count=1 -timeout=30m -run='^TestEveryPage' -args -pictures=$(CURDIR)/bin/pictures -docs=$(CURDIR)/docs/pictures

.PHONY: transcripts
transcripts: envtest-binaries ## Write the transcripts of docs/kubectl-testrun.md anew, by running their commands
	KUBEBUILDER_ASSETS=$(ASSETS) go test ./test/plugin -count=1 -run='^TestTheTranscripts' -args -write

.PHONY: fuzz
fuzz: ## Feed the readers of results, and the queues, with what nobody would write, for FUZZTIME each
	for target in results:FuzzCut results:FuzzDecode results/tap:FuzzReader results/junit:FuzzRead results/gotest:FuzzReader admission:FuzzEngine; do \
		go test ./internal/$${target%:*} -run='^$$' -fuzz="^$${target#*:}$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=1s; \
	done

.PHONY: corpora
corpora: build bin/tools/gotestsum ## Install real test tools, and compare what the runner reads with what they say (TOOLS="jest bats": only those; docs/results.md)
	@hack/corpora.sh -write=../../docs/results.md $(TOOLS)

.PHONY: envtest-binaries
envtest-binaries:
	$(if $(ENVTEST_BUILDS),$(LOCAL_CLUSTER) build $(ENVTEST_BUILDS))

.PHONY: postgres mariadb pgbouncer chromium
postgres mariadb pgbouncer chromium:
	hack/programs.sh $@

.PHONY: axe
axe:
	hack/axe.sh

.PHONY: build
build: ## Build the operator (bin/manager), what runs a test's command (bin/runner), the server (bin/server), what follows job tables (bin/jobtable) and the plugin (bin/kubectl-testrun)
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/ $(addprefix ./cmd/,$(PROGRAMS) kubectl-testrun)

.PHONY: generate
generate: bin/tools/controller-gen bin/tools/crdtrim bin/tools/crd-ref-docs ## Generate the deepcopies, the CRDs, the RBAC role and the API references
	bin/tools/controller-gen object:headerFile=hack/boilerplate.go.txt paths=./api/...
	bin/tools/controller-gen crd:generateEmbeddedObjectMeta=true paths=./api/... output:crd:dir=config/crd/bases
	bin/tools/crdtrim config/crd/bases/*.yaml
	bin/tools/controller-gen rbac:roleName=testrun-manager paths=./controllers/... output:rbac:dir=config/rbac
	bin/tools/crd-ref-docs --log-level=ERROR --config=hack/api-docs/config.yaml --templates-dir=hack/api-docs --renderer=markdown \
		--source-path=api --output-path=docs/reference/api.md
	go run ./hack/server-api
	go run ./hack/chart

.PHONY: fmt
fmt: bin/tools/golangci-lint ## Format the Go code
	bin/tools/golangci-lint fmt

.PHONY: lint
lint: bin/tools/golangci-lint ## Lint the Go code (.golangci.yml says what for, and why)
	@for module in . $(HACK_MODULES); do echo "lint $$module" && (cd $$module && $(CURDIR)/bin/tools/golangci-lint run); done

.PHONY: vuln
vuln: bin/tools/govulncheck ## Look for known vulnerabilities in what the programs call (asks vuln.go.dev)
	bin/tools/govulncheck ./...

.PHONY: verify
verify: ## Generate, tidy and lint; fail if that leaves a file uncommitted
	@hack/verify.sh

.PHONY: clean
clean: ## Stop the local cluster and remove all that was built
	@if [[ -d .cluster ]]; then $(LOCAL_CLUSTER) down; fi
	rm -rf bin dist .cluster

##@ Cluster

.PHONY: cluster-up
cluster-up: ## Start the local Kubernetes, built here (minutes the first time, seconds afterwards)
	$(LOCAL_CLUSTER) up

.PHONY: cluster-deploy
cluster-deploy: bin/tools/kustomize cluster-up image demo-image ## Run operator and server, as they are in this tree, in the local cluster
	$(IN_LOCAL_CLUSTER) CONFIG=$(CLUSTER_CONFIG) IMAGES='$(LOCAL_IMAGES) perl' hack/cluster-deploy.sh

.PHONY: cluster-clear
cluster-clear: ## Remove TestRun from the local cluster, which is up: all runs, the CRDs, operator and server, however they were installed
	$(IN_LOCAL_CLUSTER) hack/cluster-clear.sh

.PHONY: cluster-kueue
cluster-kueue: bin/tools/kustomize ## Run Kueue in the local cluster, which is up (its webhooks then see every Job and pod)
	$(LOCAL_CLUSTER) build kueue-manager
	$(IN_LOCAL_CLUSTER) hack/kueue.sh up

.PHONY: cluster-kueue-down
cluster-kueue-down: bin/tools/kustomize ## Remove Kueue from the local cluster, with its queues and workloads
	$(IN_LOCAL_CLUSTER) hack/kueue.sh down

.PHONY: cluster-flux
cluster-flux: bin/tools/controller-gen ## Run Flux's kustomize-controller in the local cluster, which is up
	$(LOCAL_CLUSTER) build kustomize-controller
	$(IN_LOCAL_CLUSTER) hack/flux.sh up

.PHONY: cluster-flux-down
cluster-flux-down: bin/tools/controller-gen ## Remove Flux from the local cluster, with what belongs to it
	$(IN_LOCAL_CLUSTER) hack/flux.sh down

.PHONY: cluster-status
cluster-status: ## Say how the local cluster is
	$(LOCAL_CLUSTER) status

.PHONY: cluster-env
cluster-env: ## Print what points your shell at the local cluster: eval "$(make -s cluster-env)"
	@$(LOCAL_CLUSTER) env

.PHONY: cluster-down
cluster-down: ## Stop the local cluster and remove all of it
	$(LOCAL_CLUSTER) down

.PHONY: install
install: bin/tools/kustomize ## Install the CRDs into the current context's cluster
	bin/tools/kustomize build config/crd | kubectl apply -f -

.PHONY: uninstall
uninstall: bin/tools/kustomize ## Remove the CRDs, and with them every Test and TestRun
	bin/tools/kustomize build config/crd | kubectl delete --ignore-not-found -f -

.PHONY: deploy
deploy: bin/tools/kustomize ## Deploy the CRDs and the operator (IMG, RUNNER_IMG) to the current context's cluster (CONFIG=config/archive: and the server, SERVER_IMG)
	$(RENDER) | kubectl apply -f -

.PHONY: undeploy
undeploy: bin/tools/kustomize ## Remove the operator and the CRDs, and with them every Test and TestRun (CONFIG=config/archive: and the server)
	bin/tools/kustomize build $(CONFIG) | kubectl delete --ignore-not-found -f -

##@ Release

.PHONY: release
release: bin/tools/kustomize bin/tools/cyclonedx-gomod ## Make a release in dist/, without Docker: images, manifests, chart, plugin, checksums (VERSION=v1.2.3 REGISTRY=host/path)
	$(RELEASE) build --version '$(RELEASE_VERSION)' --registry '$(REGISTRY)' --download-url '$(DOWNLOAD_URL)' --programs '$(PROGRAMS)'

.PHONY: release-push
release-push: ## Push the images and the chart of the release in dist/ (credentials: those of docker login or helm registry login)
	$(RELEASE) push --registry '$(REGISTRY)'

.PHONY: release-twice
release-twice: bin/tools/kustomize bin/tools/cyclonedx-gomod ## Make the release of this commit twice, in unlike circumstances, and compare every byte (half an hour)
	hack/release-twice.sh

.PHONY: release-programs
release-programs:
	@echo $(PROGRAMS)

.PHONY: test-release
test-release: bin/tools/gotestsum bin/tools/helm bin/tools/kubectl-krew bin/tools/validate-krew-manifest cluster-up demo-image ## Make a release, push it to a registry, and install and use it from there, on the local cluster
	$(LOCAL_CLUSTER) load-image $(CURDIR)/bin/images/perl.tar
	$(IN_LOCAL_CLUSTER) go test -C hack/release -count=1 -timeout=30m -v ./e2e

.PHONY: image
image: build ## Make the images for the local cluster, without Docker: testrun.tar, runner.tar and so on in bin/images
	for program in $(PROGRAMS); do name=$${program/#manager/testrun}; \
		$(LOCAL_CLUSTER) image program --name testrun.invalid/$$name:dev --output $(CURDIR)/bin/images/$$name.tar $(CURDIR)/bin/$$program; \
	done

.PHONY: demo-image
demo-image: bin/images/perl.tar ## Make the image that the samples use, from Debian packages: bin/images/perl.tar

# It has the name of the public image, so that the samples work unchanged on any cluster.
bin/images/perl.tar:
	$(LOCAL_CLUSTER) image debian --name docker.io/library/perl:5-slim --output $(CURDIR)/$@ perl dash coreutils

# The web application of the demo of a job table, and its database.
.PHONY: shop-images
shop-images: cluster-up bin/images/shop.tar bin/images/shop-db.tar
	$(LOCAL_CLUSTER) load-image $(CURDIR)/bin/images/shop.tar $(CURDIR)/bin/images/shop-db.tar

bin/images/shop.tar:
	$(LOCAL_CLUSTER) image debian --name testrun.invalid/shop:dev --output $(CURDIR)/$@ perl dash libcatalyst-perl libdbix-class-perl libdbd-pg-perl libplack-perl

bin/images/shop-db.tar:
	$(LOCAL_CLUSTER) image debian --name testrun.invalid/shop-db:dev --output $(CURDIR)/$@ dash coreutils postgresql

# What speaks the formats of results for real: prove, go test and pytest.
bin/images/test-tools.tar:
	$(LOCAL_CLUSTER) image debian --name testrun.invalid/test-tools:dev --output $(CURDIR)/$@ perl dash coreutils python3-pytest golang-go

.PHONY: docker-build
docker-build: ## Build the images IMG, RUNNER_IMG, SERVER_IMG and JOBTABLE_IMG with Docker
	docker build --build-arg VERSION=$(VERSION) --target manager --tag $(IMG) .
	docker build --target runner --tag $(RUNNER_IMG) .
	docker build --build-arg VERSION=$(VERSION) --target server --tag $(SERVER_IMG) .
	docker build --build-arg VERSION=$(VERSION) --target jobtable --tag $(JOBTABLE_IMG) .

.PHONY: docker-buildx
docker-buildx: ## Build the images IMG and RUNNER_IMG, and SERVER_IMG and JOBTABLE_IMG if you name them, for amd64 and arm64, and push them
	docker buildx build --build-arg VERSION=$(VERSION) --target manager --platform linux/amd64,linux/arm64 --tag $(IMG) --push .
	docker buildx build --target runner --platform linux/amd64,linux/arm64 --tag $(RUNNER_IMG) --push .
	$(if $(filter testrun.invalid/%,$(SERVER_IMG)),,docker buildx build --build-arg VERSION=$(VERSION) --target server \
		--platform linux/amd64,linux/arm64 --tag $(SERVER_IMG) --push .)
	$(if $(filter testrun.invalid/%,$(JOBTABLE_IMG)),,docker buildx build --build-arg VERSION=$(VERSION) --target jobtable \
		--platform linux/amd64,linux/arm64 --tag $(JOBTABLE_IMG) --push .)

.PHONY: chart
chart: bin/tools/helm ## Lint the Helm chart, and package it: bin/charts/testrun-VERSION.tgz
	bin/tools/helm lint --strict charts/testrun
	bin/tools/helm lint --strict charts/testrun --set server.enabled=true --set-json 'jobtable.namespaces=[{"name":"shop","existingSecret":"databases"}]'
	bin/tools/helm package charts/testrun --destination bin/charts

.PHONY: install-yaml
install-yaml: bin/tools/kustomize ## Write all that `make deploy` applies into one file: bin/install.yaml
	$(RENDER) > bin/install.yaml

# The tools are built from the modules that pin them, and again only when a pin changes.

bin/tools/controller-gen: package := sigs.k8s.io/controller-tools/cmd/controller-gen
bin/tools/crd-ref-docs: package := github.com/elastic/crd-ref-docs
bin/tools/gotestsum: package := gotest.tools/gotestsum
bin/tools/kustomize: package := sigs.k8s.io/kustomize/kustomize/v5

bin/tools/%: hack/tools/go.mod hack/tools/go.sum
	go build -C hack/tools -o $(CURDIR)/$@ $(package)
	@touch $@

bin/tools/crdtrim: hack/tools/go.mod $(wildcard hack/tools/crdtrim/*.go)
	go build -C hack/tools -o $(CURDIR)/$@ ./crdtrim
	@touch $@

bin/tools/golangci-lint: hack/tools/golangci-lint/go.mod hack/tools/golangci-lint/go.sum hack/tools/golangci-lint/main.go
	go build -C hack/tools/golangci-lint -o $(CURDIR)/$@ .
	@touch $@

bin/tools/helm: hack/tools/helm/go.mod hack/tools/helm/go.sum
	go build -C hack/tools/helm -trimpath -ldflags '-s -w' -o $(CURDIR)/$@ helm.sh/helm/v4/cmd/helm
	@touch $@

bin/tools/govulncheck: hack/tools/govulncheck/go.mod hack/tools/govulncheck/go.sum
	go build -C hack/tools/govulncheck -o $(CURDIR)/$@ golang.org/x/vuln/cmd/govulncheck
	@touch $@

# cyclonedx-gomod and krew are modules of their own too: they need old versions of what other tools need.
bin/tools/cyclonedx-gomod: hack/tools/cyclonedx-gomod/go.mod hack/tools/cyclonedx-gomod/go.sum
	go build -C hack/tools/cyclonedx-gomod -o $(CURDIR)/$@ github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
	@touch $@

bin/tools/kubectl-krew: hack/tools/krew/go.mod hack/tools/krew/go.sum
	go build -C hack/tools/krew -o $(CURDIR)/$@ sigs.k8s.io/krew/cmd/krew
	@touch $@

bin/tools/validate-krew-manifest: hack/tools/krew/go.mod hack/tools/krew/go.sum
	go build -C hack/tools/krew -o $(CURDIR)/$@ sigs.k8s.io/krew/cmd/validate-krew-manifest
	@touch $@
