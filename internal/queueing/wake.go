package queueing

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/testrun-dev/testrun/internal/admission"
)

type workQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// statusEvery is how often the status of a queue is written at most.
const statusEvery = 5 * time.Second

// QueuesSource lets the controller of the queues know whose status may have changed.
func (q *Service) QueuesSource(_ context.Context, queue workQueue) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queues = queue
	return nil
}

// wakeQueues has the status of those TestQueues looked at, in a while. A work queue holds each but once.
func (q *Service) wakeQueues(names []string) {
	if q.queues == nil {
		return
	}
	for _, name := range names {
		if _, exists := q.settings[name]; exists {
			q.queues.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}, statusEvery)
		}
	}
}

func (q *Service) wakeRun(run admission.Key, priority int) {
	if q.runs != nil {
		request := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: run.Namespace, Name: run.Name}}
		q.runs.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, request)
	}
}

// RunsSource lets the controller of the runs know which of them are to be looked at.
func (q *Service) RunsSource(_ context.Context, queue workQueue) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	var ok bool
	if q.runs, ok = queue.(priorityqueue.PriorityQueue[reconcile.Request]); !ok {
		return errors.New("the controller of the runs has no priority queue")
	}
	return nil
}
