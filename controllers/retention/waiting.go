package retention

import (
	"container/heap"
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/testrun-dev/testrun/internal/archivestatus"
)

// waiting holds what a controller looks at again once the archive has stored more. To wake some costs what they are, however many others
// wait. A request leaves when it is looked at: so whatever waits is due no later than its own time, and nothing is held for ever.
type waiting struct {
	mu    sync.Mutex
	all   map[reconcile.Request]*waiter
	order byVersion
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]
}

// waiter is a request that waits until the archive has stored that resourceVersion.
type waiter struct {
	request reconcile.Request
	version string
	index   int
}

func newWaiting() *waiting { return &waiting{all: map[reconcile.Request]*waiter{}} }

// source tells the controller's queue who is to be looked at.
func (w *waiting) source(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = queue
	return nil
}

// add has the request wait for that version, or for the one that it waits for already if that is the earlier one. A version that is none
// is waited for by nobody.
func (w *waiting) add(request reconcile.Request, version string) {
	if _, err := resourceversion.CompareResourceVersion(version, version); err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	known, waits := w.all[request]
	switch {
	case !waits:
		known = &waiter{request: request, version: version}
		w.all[request] = known
		heap.Push(&w.order, known)
	case before(version, known.version):
		known.version = version
		heap.Fix(&w.order, known.index)
	}
}

// remove has the request wait no longer.
func (w *waiting) remove(request reconcile.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known, waits := w.all[request]; waits {
		delete(w.all, request)
		heap.Remove(&w.order, known.index)
	}
}

// wake has those looked at that wait for a version which the archive holds now.
func (w *waiting) wake(status archivestatus.Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.queue != nil && len(w.order) > 0 && status.Holds(w.order[0].version) {
		woken, _ := heap.Pop(&w.order).(*waiter)
		delete(w.all, woken.request)
		w.queue.Add(woken.request)
	}
}

// len is how many wait.
func (w *waiting) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.order)
}

// looked has each request that is looked at wait no longer, before it is.
func (w *waiting) looked(next reconcile.Reconciler) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
		w.remove(request)
		return next.Reconcile(ctx, request)
	})
}

// byVersion is a heap, the earliest version first. All its versions are well formed.
type byVersion []*waiter

func (h byVersion) Len() int           { return len(h) }
func (h byVersion) Less(i, j int) bool { return before(h[i].version, h[j].version) }

func (h byVersion) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *byVersion) Push(item any) {
	added, _ := item.(*waiter)
	added.index = len(*h)
	*h = append(*h, added)
}

// Pop implements heap.Interface.
func (h *byVersion) Pop() any {
	last := len(*h) - 1
	popped := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return popped
}

// before says whether a is the earlier one of two versions.
func before(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}
