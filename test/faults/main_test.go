// Package faults shows that a controller may be killed at any point, read from a stale cache, miss events, be answered with
// errors or run twice, and that what is promised of each run holds nevertheless. The API server, etcd and the controllers for
// Jobs and garbage are the real ones; the node is simulated. docs/decisions/faults.md says what is tried, and why.
package faults

import (
	"flag"
	"os"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/kit"
)

var (
	points   = flag.String("points", "sample", "the points to try: sample, or all")
	soakRuns = flag.Int("runs", 40, "how many runs the soak has")
	soakSeed = flag.Uint64("seed", 0, "the seed of the soak; 0 takes one at random")
)

func TestMain(m *testing.M) {
	kit.AtATime(24)
	ctrl.SetLogger(logr.Discard())
	code := apiserver.Run(m, apiserver.ControllerManager)
	tried.print(os.Stdout)
	os.Exit(code)
}
