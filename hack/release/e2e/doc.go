// Package e2e makes a release of this tree, pushes it to a registry, and installs and uses it from there as people do, on the local
// cluster. `make test-release` runs it. It removes whatever of TestRun is in the cluster.
package e2e
