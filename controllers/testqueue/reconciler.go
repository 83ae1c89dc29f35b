package testqueue

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// What the controller may do, beside what the controller of the runs may.
//
// +kubebuilder:rbac:groups=testrun.dev,resources=testqueues,verbs=get;list;watch
// +kubebuilder:rbac:groups=testrun.dev,resources=testqueues/status,verbs=patch

// statusEvery is how often the status of a queue is written at most.
const statusEvery = 5 * time.Second

// Reconciler takes over the settings of TestQueues and writes their status.
type Reconciler struct {
	Client client.Client
	// APIReader reads from the API server itself: that a TestQueue does not exist is not believed of a cache.
	APIReader client.Reader
	Queues    *Queues
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if err := mgr.Add(r.Queues); err != nil {
		return err
	}
	for _, path := range []string{"/queues", "/queues/"} {
		if err := mgr.AddMetricsServerExtraHandler(path, r.Queues.Handler()); err != nil {
			return err
		}
	}
	settings := predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() || e.ObjectOld.GetUID() != e.ObjectNew.GetUID()
	}}
	return ctrl.NewControllerManagedBy(mgr).
		Named("testqueue").
		Watches(&v1alpha1.TestQueue{}, &handler.EnqueueRequestForObject{}, builder.WithPredicates(settings)).
		WatchesRawSource(source.Func(r.Queues.queuesSource)).
		Complete(r)
}

// Reconcile takes over the settings of one TestQueue, and writes its status.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	queue := &v1alpha1.TestQueue{}
	err := r.Client.Get(ctx, request.NamespacedName, queue)
	if apierrors.IsNotFound(err) {
		err = r.APIReader.Get(ctx, request.NamespacedName, queue)
	}
	switch {
	case apierrors.IsNotFound(err):
		r.Queues.SetQueue(request.Name, nil)
		return reconcile.Result{}, nil
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("reading the TestQueue: %w", err)
	}
	r.Queues.SetQueue(request.Name, &queue.Spec)
	status := r.Queues.statusOf(request.Name)
	if equality.Semantic.DeepEqual(queue.Status, status) {
		return reconcile.Result{}, nil
	}
	next := queue.DeepCopy()
	next.Status = status
	return reconcile.Result{}, client.IgnoreNotFound(r.Client.Status().Patch(ctx, next, client.MergeFrom(queue)))
}

// SetQueue takes over the settings of a TestQueue; nil if it does not exist.
func (q *Queues) SetQueue(name string, spec *v1alpha1.TestQueueSpec) {
	q.mu.Lock()
	defer q.mu.Unlock()
	before, exists := q.settings[name]
	if exists == (spec != nil) && (!exists || equality.Semantic.DeepEqual(before.spec, *spec)) {
		return
	}
	q.setQueue(name, spec)
	q.decide()
}

func (q *Queues) statusOf(name string) v1alpha1.TestQueueStatus {
	q.mu.Lock()
	defer q.mu.Unlock()
	seen, _ := q.engine.Status(name)
	status := v1alpha1.TestQueueStatus{Running: ptr.To(int32(seen.Running)), Pending: ptr.To(int32(seen.Waiting))}
	if !seen.Oldest.IsZero() {
		status.OldestPending = ptr.To(metav1.NewTime(seen.Oldest).Rfc3339Copy())
	}
	return status
}

// queuesSource lets the controller of the queues know whose status may have changed.
func (q *Queues) queuesSource(_ context.Context, queue workQueue) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queues = queue
	return nil
}

// wakeQueues has the status of those TestQueues looked at, in a while. A work queue holds each but once.
func (q *Queues) wakeQueues(names []string) {
	if q.queues == nil {
		return
	}
	for _, name := range names {
		if _, exists := q.settings[name]; exists {
			q.queues.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}, statusEvery)
		}
	}
}
