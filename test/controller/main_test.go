// Package controller tests the life of a run against a real API server and the real Job controller. There is no node: the
// tests do what a scheduler and a kubelet would, and say so.
package controller

import (
	"os"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/recorded"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	recording := recorded.While(m, func() client.WithWatch { return apiserver.Client })
	os.Exit(apiserver.Run(recording, apiserver.ControllerManager))
}
