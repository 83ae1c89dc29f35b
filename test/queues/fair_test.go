package queues

import (
	"math"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/history"
	"github.com/testrun-dev/testrun/test/kit"
)

// starts are those that are counted.
const starts = 400

func TestNamespacesGetStartsByTheirWeights(t *testing.T) {
	w := newWorld(t)
	burstOf, small, heavy := w.namespaces[0], w.namespaces[1], w.namespaces[2]
	weights := map[string]int32{burstOf: 1, small: 1, heavy: 2}
	queue := &v1alpha1.TestQueue{Spec: v1alpha1.TestQueueSpec{MaxRunning: 1}}
	queue.Name = "fair"
	for namespace, weight := range weights {
		queue.Spec.Weights = append(queue.Spec.Weights, v1alpha1.NamespaceWeight{Namespace: namespace, Weight: weight})
	}
	w.must(apiserver.Client.Create(w.ctx, queue))
	w.compete()

	w.backlog(burstOf, queue.Name, *burst)
	inQueue := func(running int32) bool {
		w.must(apiserver.Client.Get(w.ctx, client.ObjectKeyFromObject(queue), queue))
		seen := ptr.Deref(queue.Status.Running, 0)
		return seen <= running && int(ptr.Deref(queue.Status.Pending, 0)+seen) >= len(w.unfinished())
	}
	w.eventually("the burst is in the queue", func() bool { return inQueue(1) })
	first := builders.TestRun("first").In(small).Waiting(queue.Name).Build()
	w.must(apiserver.Client.Create(w.ctx, first))
	w.eventually("the first run of another namespace starts", func() bool { return w.startsSince(first)[small] == 1 })
	// One of the burst may be on its way, and a few more may start until the operator has seen the new run.
	if ahead := w.startsSince(first)[burstOf]; ahead > 5 {
		t.Errorf("%d runs of the burst started before the first one of another namespace, want a few", ahead)
	}

	change := func(mutate func(*v1alpha1.TestQueueSpec)) {
		original := queue.DeepCopy()
		mutate(&queue.Spec)
		w.must(apiserver.Client.Patch(w.ctx, queue, client.MergeFrom(original)))
	}
	change(func(spec *v1alpha1.TestQueueSpec) { spec.Suspend = ptr.To(true) })
	w.backlog(small, queue.Name, 120)
	w.backlog(heavy, queue.Name, 300)
	w.eventually("all is in the queue, and nothing runs", func() bool { return inQueue(0) })
	change(func(spec *v1alpha1.TestQueueSpec) { spec.Suspend, spec.MaxRunning = nil, 20 })
	var got map[string]int
	w.eventually("enough runs start", func() bool {
		got = w.startsSince(queue)
		return got[burstOf]+got[small]+got[heavy] >= starts
	})
	t.Logf("of %d starts %d, %d and %d are of the namespaces with the weights 1, 1 and 2", starts, got[burstOf], got[small], got[heavy])
	for namespace, weight := range weights {
		want := float64(starts) * float64(weight) / 4
		if math.Abs(float64(got[namespace])-want) > want/20 {
			t.Errorf("a namespace of weight %d has %d of %d starts, want %g within 5%%", weight, got[namespace], starts, want)
		}
	}
}

// backlog creates that many runs.
func (w *world) backlog(namespace, queue string, n int) {
	w.t.Helper()
	numbers := make(chan struct{}, n)
	for range n {
		numbers <- struct{}{}
	}
	close(numbers)
	var users sync.WaitGroup
	for range 8 {
		users.Go(func() {
			for range numbers {
				run := builders.TestRun("").In(namespace).Waiting(queue).Build()
				run.GenerateName = "run-"
				if err := apiserver.Client.Create(w.ctx, run); err != nil {
					w.t.Error(err)
				}
			}
		})
	}
	users.Wait()
}

// startsSince counts by namespace the first starts after the object was stored.
func (w *world) startsSince(object client.Object) map[string]int {
	counts, counted := map[string]int{}, 0
	for _, entry := range w.history.All() {
		job, isJob := entry.Object.(*batchv1.Job)
		if isJob && entry.Change == watch.Added && entry.Revision > history.RevisionOf(object) && counted < starts {
			counts[job.Namespace]++
			counted++
		}
	}
	return counts
}

// eventually waits for what is too dear to be asked whenever something happens, for as long as anything does.
func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	news, quietSince := w.history.Next(), time.Now()
	for !holds() {
		select {
		case <-news:
			news, quietSince = w.history.Next(), time.Now()
		default:
		}
		w.replaceEnded(nil)
		if time.Since(quietSince) > patience {
			w.t.Fatalf("it did not happen, nor anything else for %s: %s", patience, what)
		}
		kit.Pause(w.ctx, 200*time.Millisecond)
	}
}
