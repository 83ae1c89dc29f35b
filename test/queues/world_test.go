package queues

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/conditions"
	"github.com/testrun-dev/testrun/test/history"
	"github.com/testrun-dev/testrun/test/kit"
)

// patience is for how long nothing at all may happen before a test gives up.
const patience = 2 * time.Minute

// world is a cluster with a node, queues, users, and operators that come and go.
type world struct {
	t          *testing.T
	ctx        context.Context
	history    *history.History
	node       *kubelet
	namespaces []string
	operators  []*process
	runs       []*v1alpha1.TestRun
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, ctx: t.Context(), node: &kubelet{}}
	for range 3 {
		w.namespaces = append(w.namespaces, apiserver.Namespace(t))
	}
	var err error
	w.history, err = history.Record("", &v1alpha1.TestRunList{}, &batchv1.JobList{}, &v1alpha1.TestQueueList{})
	w.must(err)
	t.Cleanup(func() {
		for _, operator := range w.operators {
			operator.kill()
			<-operator.ended
		}
		w.history.End()
		for _, namespace := range w.namespaces { // the next test is to have the operator for itself
			if err := apiserver.Client.DeleteAllOf(context.Background(), &v1alpha1.TestRun{}, client.InNamespace(namespace)); err != nil {
				t.Error(err)
			}
		}
	})
	w.must(w.node.work(w.ctx))
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) queue(name string, spec v1alpha1.TestQueueSpec) {
	w.must(apiserver.Client.Create(w.ctx, &v1alpha1.TestQueue{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}))
}

// compete starts one more operator.
func (w *world) compete() {
	operator, err := start()
	w.must(err)
	w.operators = append(w.operators, operator)
}

// createRuns creates that many runs for each share of a queue. They go before those that were created before them.
func (w *world) createRuns(n int, shares map[string]int) {
	for queue, share := range shares {
		for range n * share {
			number := len(w.runs) + 1
			run := builders.TestRun(fmt.Sprintf("run-%05d", number)).In(w.namespaces[number%len(w.namespaces)]).
				Waiting(queue).Priority(int32(number)).Retry(1, 1)
			if rand.IntN(10) == 0 {
				run.Concurrency("environment", "").Spec.Concurrency.Max = keyLimit
			}
			w.must(apiserver.Client.Create(w.ctx, &run.TestRun))
			w.runs = append(w.runs, &run.TestRun)
		}
	}
}

// meddle cancels one of the runs, and deletes another one.
func (w *world) meddle() {
	w.t.Helper()
	w.edit(w.runs[rand.IntN(len(w.runs))], func(spec *v1alpha1.TestRunSpec) { spec.Cancel = ptr.To(true) })
	w.must(client.IgnoreNotFound(apiserver.Client.Delete(w.ctx, w.runs[rand.IntN(len(w.runs))])))
}

// reorder changes the priorities of runs that were created not long ago, for that long. Some of them have just started.
func (w *world) reorder(d time.Duration) {
	w.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); kit.Pause(w.ctx, 50*time.Millisecond) {
		run := w.runs[max(0, len(w.runs)-1-rand.IntN(100))]
		w.edit(run, func(spec *v1alpha1.TestRunSpec) { *spec.Priority++ })
	}
}

// edit changes the run, unless it has been deleted.
func (w *world) edit(run *v1alpha1.TestRun, change func(*v1alpha1.TestRunSpec)) {
	w.t.Helper()
	before := run.DeepCopy()
	change(&run.Spec)
	w.must(client.IgnoreNotFound(apiserver.Client.Patch(w.ctx, run, client.MergeFrom(before))))
}

func (w *world) unfinished() []*v1alpha1.TestRun {
	var unfinished []*v1alpha1.TestRun
	runs, exist := history.Last[*v1alpha1.TestRun](w.history)
	for i, run := range runs {
		if exist[i] && run.Status.Phase != v1alpha1.PhaseFinished {
			unfinished = append(unfinished, run)
		}
	}
	return unfinished
}

// allEnd waits until all runs have ended.
func (w *world) allEnd() {
	w.t.Helper()
	err := w.history.Until(w.ctx, patience, "all runs end", func() bool { return len(w.unfinished()) == 0 })
	for _, run := range w.unfinished() {
		w.t.Logf("%s of %s: %s %s: %s", run.Name, run.Spec.Queue, run.Status.Phase, conditions.Reason(run), conditions.Message(run))
	}
	w.must(err)
}

// leader waits until one of the operators leads, but for that one.
func (w *world) leader(but *process) *process {
	w.t.Helper()
	for patience := time.After(patience); ; {
		for _, operator := range w.operators {
			if operator != but && operator.leads() {
				return operator
			}
		}
		w.replaceEnded(but)
		select {
		case <-patience:
			w.t.Fatal("nobody leads")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// replaceEnded starts an operator for each one that has ended by itself: on a busy machine a leader may lose its Lease.
func (w *world) replaceEnded(but *process) {
	w.t.Helper()
	for i, operator := range w.operators {
		select {
		case <-operator.ended:
			if operator != but {
				next, err := start()
				w.must(err)
				w.operators[i] = next
			}
		default:
		}
	}
}

// change is the n-th: something befalls the operator that leads, and another one takes over. Until that is over no test ends, and the
// cache of the next one is behind, by more than it takes. Before and after it users act.
func (w *world) change(n int, users func()) {
	w.t.Helper()
	leader := w.leader(nil)
	w.node.hold()
	for _, operator := range w.operators {
		if operator != leader {
			w.fallBehind(operator, behind, lateKinds[n%len(lateKinds)]...)
		}
	}
	users()
	w.reorder(time.Duration(5-n%5) * 500 * time.Millisecond)
	strikes[n%len(strikes)](leader)
	users()
	next := w.leader(leader)
	w.reorder(behind + settled)
	w.node.release()
	<-leader.ended
	w.operators = slices.DeleteFunc(w.operators, func(p *process) bool { return p == leader })
	w.compete()
	w.fallBehind(next, 0, "TestRun", "Pod", "TestQueue")
	w.fallBehind(next, time.Second, "Job")
	w.reorder(3 * time.Second)
	w.fallBehind(next, 0, "Job")
}

// lateKinds are what the caches are behind in, one after the other.
var lateKinds = [][]string{{"Job"}, {"TestRun"}, {"TestRun", "Job", "Pod", "TestQueue"}}

func (w *world) fallBehind(p *process, by time.Duration, kinds ...string) {
	now := &v1alpha1.TestQueueList{}
	w.must(apiserver.Client.List(w.ctx, now))
	for _, kind := range kinds {
		p.late.set(kind, delay{by, now.ResourceVersion})
	}
}
