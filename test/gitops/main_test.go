// Package gitops holds what docs/gitops.md says against the scripts in config/argocd, run as Argo CD runs them, and against a real API
// server. test/e2e has Flux itself.
package gitops

import (
	"os"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/testrun-dev/testrun/test/apiserver"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(apiserver.Run(m))
}
