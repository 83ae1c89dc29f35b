package queues

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

const (
	// keyLimit is how many runs with the concurrency key run at once in a namespace.
	keyLimit = 2
	// perNamespace is for the largest queue, which three namespaces can still fill.
	perNamespace = 17
	// behind is by how much a cache is behind.
	behind = leaseDuration + 3*time.Second
	// settled is how long a new leader has, beyond what its cache is behind, to start one run too many.
	settled = 1500 * time.Millisecond
)

// Two operators follow one another again and again while the queues are full: as soon as one does not lead any more users create
// runs that go before all others, and nothing that runs ends until the next one has had the time to make a mistake.
func TestNoMoreRunsRunThanMay(t *testing.T) {
	w := newWorld(t)
	limits := map[string]int{"key": keyLimit}
	shares := map[string]int{}
	for limit, share := range map[int]int{1: 1, 7: 5, 50: 14} {
		name := fmt.Sprintf("queue-%d", limit)
		limits[name], shares[name] = limit, share
		spec := v1alpha1.TestQueueSpec{MaxRunning: int32(limit), MaxPriority: ptr.To[int32](1_000_000)}
		if limit == 50 {
			spec.MaxRunningPerNamespace = perNamespace
			limits[name+" of a namespace"] = perNamespace
		}
		w.queue(name, spec)
	}
	batch := *runs / 20 / *changes / 2
	w.compete()
	w.compete()
	for n := range *changes {
		w.change(n, func() {
			w.createRuns(batch, shares)
			w.meddle()
		})
	}
	w.allEnd()

	count := countRunning(w.history.All(), limits)
	for _, broken := range count.broken[:min(10, len(count.broken))] {
		t.Errorf("%d times: %s", len(count.broken), broken)
	}
	for name, limit := range limits {
		if count.most[name] != limit {
			t.Errorf("of %s at most %d ran at once: %d were never tried", name, count.most[name], limit)
		}
	}
}
