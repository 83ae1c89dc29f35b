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

// statusEvery is how often the status of a queue is written at most.
const statusEvery = 5 * time.Second

// wakers are the work queues of the two controllers; nil until they have started.
type wakers struct {
	mu     sync.RWMutex
	runs   priorityqueue.PriorityQueue[reconcile.Request]
	queues workQueue
}

// RunsSource lets the controller of the runs know which of them are to be looked at.
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

// QueuesSource lets the controller of the queues know whose status has changed.
func (s *Service) QueuesSource(_ context.Context, queue workQueue) error {
	s.wakers.mu.Lock()
	defer s.wakers.mu.Unlock()
	s.wakers.queues = queue
	return nil
}

// wake has all looked at whom a plan concerns, but for the run that is being looked at.
func (w *wakers) wake(plan admission.Plan, lookedAt types.UID) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, decision := range plan.Decisions {
		w.wakeRun(decision.Run, lookedAt, 0)
	}
	for _, run := range plan.Changed {
		w.wakeRun(run, lookedAt, handler.LowPriority) // it only waits for another reason
	}
	if w.queues == nil {
		return
	}
	for _, name := range plan.Queues { // a work queue holds each but once
		w.queues.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}, statusEvery)
	}
}

func (w *wakers) wakeRun(run admission.Key, lookedAt types.UID, priority int) {
	if w.runs != nil && run.UID != lookedAt {
		request := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: run.Namespace, Name: run.Name}}
		w.runs.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, request)
	}
}
