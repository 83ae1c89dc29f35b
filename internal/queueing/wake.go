package queueing

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/testrun-dev/testrun/internal/admission"
)

type workQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// statusEvery is the shortest time between two writes of a queue's status.
const statusEvery = 5 * time.Second

// wakers holds the work queues of the two controllers; nil until they have started.
type wakers struct {
	mu     sync.RWMutex
	runs   priorityqueue.PriorityQueue[reconcile.Request]
	queues workQueue
}

// RunsSource tells the controller of the runs which of them to reconcile.
func (s *Service) RunsSource(_ context.Context, queue workQueue) error {
	runs, ok := queue.(priorityqueue.PriorityQueue[reconcile.Request])
	if !ok {
		return errors.New("the controller of the runs has no priority queue")
	}
	s.wakers.mu.Lock()
	defer s.wakers.mu.Unlock()
	s.wakers.runs = runs
	return nil
}

// QueuesSource tells the controller of the queues whose status has changed.
func (s *Service) QueuesSource(_ context.Context, queue workQueue) error {
	s.wakers.mu.Lock()
	defer s.wakers.mu.Unlock()
	s.wakers.queues = queue
	return nil
}

// wake queues the runs and queues that a plan concerns, except the run that is being reconciled.
func (w *wakers) wake(plan admission.Plan, reconciled types.UID) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, decision := range plan.Decisions {
		w.wakeRun(decision.Run, reconciled, 0)
	}
	for _, run := range plan.Changed {
		w.wakeRun(run, reconciled, handler.LowPriority) // only its reason to wait has changed
	}
	if w.queues == nil {
		return
	}
	for _, name := range plan.Queues { // a work queue holds each name only once
		w.queues.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}, statusEvery)
	}
}

func (w *wakers) wakeRun(run admission.Key, reconciled types.UID, priority int) {
	if w.runs != nil && run.UID != reconciled {
		request := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: run.Namespace, Name: run.Name}}
		w.runs.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, request)
	}
}
