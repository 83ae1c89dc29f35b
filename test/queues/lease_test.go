package queues

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
)

// client-go tells a leader that it has lost its Lease long after another one may have taken it.
func TestALeaderThatCannotRenewItsLeaseStartsNothing(t *testing.T) {
	w := newWorld(t)
	hasJob := func(run string) bool {
		err := apiserver.Client.Get(w.ctx, client.ObjectKey{Namespace: w.namespaces[0], Name: run + "-1"}, &batchv1.Job{})
		w.must(client.IgnoreNotFound(err))
		return err == nil
	}
	w.compete()
	leader := w.operators[0]
	w.eventually("it leads", leader.leads)
	w.must(apiserver.Client.Create(w.ctx, builders.TestRun("before").In(w.namespaces[0]).Build()))
	w.eventually("a leader starts a run", func() bool { return hasJob("before") })

	leader.cannotRenew.Store(true)
	<-time.After(leaseDuration)
	w.must(apiserver.Client.Create(w.ctx, builders.TestRun("after").In(w.namespaces[0]).Build()))
	<-leader.ended
	if hasJob("after") {
		t.Error("it started a run when another could lead")
	}
}
