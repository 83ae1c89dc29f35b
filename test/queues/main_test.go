// Package queues shows what the queues promise by what the API server stored, with many runs, operators that follow one another
// in the middle of their work, and caches that are behind. The API server, etcd and the controllers for Jobs and garbage are
// the real ones; the node is simulated.
package queues

import (
	"flag"
	"os"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/testrun-dev/testrun/test/apiserver"
)

var (
	runs    = flag.Int("runs", 640, "how many runs there are")
	burst   = flag.Int("burst", 1000, "how many runs of one namespace are to delay no other")
	changes = flag.Int("changes", 4, "how often another operator takes over")
)

func TestMain(m *testing.M) {
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	os.Exit(apiserver.Run(m, apiserver.ControllerManager))
}
