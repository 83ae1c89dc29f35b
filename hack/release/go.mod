// What makes a release, and pushes it. A module of its own, so that nothing here reaches the operator's go.mod.
module github.com/testrun-dev/testrun/hack/release

go 1.26.0

require (
	github.com/google/go-containerregistry v0.22.1
	github.com/testrun-dev/testrun/hack/cluster v0.0.0
	go.yaml.in/yaml/v3 v3.0.4
	golang.org/x/mod v0.42.0
	sigs.k8s.io/yaml v1.6.0
)

require (
	github.com/docker/cli v29.7.2+incompatible // indirect
	github.com/docker/docker-credential-helpers v0.9.3 // indirect
	github.com/klauspost/compress v1.19.2 // indirect
	github.com/opencontainers/go-digest v1.0.0 // indirect
	github.com/opencontainers/image-spec v1.1.1 // indirect
	github.com/sirupsen/logrus v1.9.4 // indirect
	go.yaml.in/yaml/v2 v2.4.2 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	gotest.tools/v3 v3.5.2 // indirect
)

// The images of a release are made as those of the local cluster are.
replace github.com/testrun-dev/testrun/hack/cluster => ../cluster
