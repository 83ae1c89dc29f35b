// Package controller tests the life of a run against a real API server and the real Job controller. There is no node: the
// tests do what a scheduler and a kubelet would, and say so.
package controller

import (
	"os"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/testrun-dev/testrun/test/apiserver"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(apiserver.Run(m, apiserver.ControllerManager))
}
