// Package testqueue hands the settings of TestQueues to the queueing service, and writes their status.
package testqueue

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/queueing"
)

// What the controller may do, beside what the controller of the runs may.
//
// +kubebuilder:rbac:groups=testrun.dev,resources=testqueues,verbs=get;list;watch
// +kubebuilder:rbac:groups=testrun.dev,resources=testqueues/status,verbs=patch

// Reconciler takes over the settings of TestQueues and writes their status.
type Reconciler struct {
	Client client.Client
	// APIReader reads from the API server itself: that a TestQueue does not exist is not believed of a cache.
	APIReader client.Reader
	Queues    *queueing.Service
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if err := errors.Join(mgr.Add(r.Queues), mgr.Add(&queueing.Dumper{Queues: r.Queues})); err != nil {
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
		WatchesRawSource(source.Func(r.Queues.QueuesSource)).
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
	status := r.Queues.StatusOf(request.Name)
	if equality.Semantic.DeepEqual(queue.Status, status) {
		return reconcile.Result{}, nil
	}
	next := queue.DeepCopy()
	next.Status = status
	return reconcile.Result{}, client.IgnoreNotFound(r.Client.Status().Patch(ctx, next, client.MergeFrom(queue)))
}
