package testrun

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/lru"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/lifecycle"
	"github.com/testrun-dev/testrun/internal/runcache"
)

// What the controller may do. Everything else is refused to it.
//
// +kubebuilder:rbac:groups=testrun.dev,resources=tests,verbs=get;list;watch
// +kubebuilder:rbac:groups=testrun.dev,resources=testruns,verbs=get;list;watch
// +kubebuilder:rbac:groups=testrun.dev,resources=testruns/status,verbs=patch
// +kubebuilder:rbac:groups=testrun.dev,resources=testruns/finalizers,verbs=update
// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups="",resources=events,verbs=list
// +kubebuilder:rbac:groups="",resources=nodes,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

const (
	// remembered bounds what is remembered of Jobs and runs until the cache knows it.
	remembered = 16384

	firstRetry = 100 * time.Millisecond
	lastRetry  = 30 * time.Second

	// leaseRetry is about how long a leader takes to renew its Lease.
	leaseRetry = 2 * time.Second

	// firstRefusalRetry is how long the API server is left alone after it has refused a Job for the first time.
	firstRefusalRetry = time.Second
)

// SetupWithManager registers the controller. concurrency is the number of runs that are reconciled at the same time.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager, concurrency int) error {
	r.jobsSeen, r.warnings = lru.New(remembered), newWarnings(r.APIReader)
	r.stored, r.refused, r.pace = newStoredStatuses(), newRefusedRuns(), newPace()
	r.leftovers = newLeftovers(r)
	if err := runcache.Index(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	informer, err := mgr.GetCache().GetInformer(ctx, &v1alpha1.TestRun{})
	if err != nil {
		return err
	}
	for _, handler := range []toolscache.ResourceEventHandler{r.Metrics.phaseCounter(), r.deletedRun()} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	for _, object := range []client.Object{&batchv1.Job{}, &corev1.Pod{}} {
		if informer, err = mgr.GetCache().GetInformer(ctx, object); err != nil {
			return err
		}
		if _, err := informer.AddEventHandler(r.leftovers.wake()); err != nil {
			return err
		}
	}
	for _, runnable := range []manager.RunnableFunc{r.openQueues, r.leftovers.Start} {
		if err := mgr.Add(runnable); err != nil {
			return err
		}
	}
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.TestRun{}, builder.WithPredicates(predicate.Funcs{CreateFunc: isUnfinished})).
		Owns(&batchv1.Job{}, builder.WithPredicates(runcache.ChangesWhatIsHeld)).
		Watches(&corev1.Pod{}, endsFirst{handler.EnqueueRequestsFromMapFunc(runOfPod)}, builder.WithPredicates(runcache.ChangesWhatIsHeld)).
		WatchesRawSource(source.Func(r.Queues.RunsSource)).
		Watches(&v1alpha1.Test{}, handler.EnqueueRequestsFromMapFunc(r.runsWaitingFor)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrency,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		}).
		Complete(reconcile.AsReconciler(r.Client, r))
}

// isUnfinished skips runs that had already finished at start-up: there may be very many. A run whose Job is active all the same is
// reconciled because of the Job.
func isUnfinished(create event.CreateEvent) bool {
	run, ok := create.Object.(*v1alpha1.TestRun)
	return !ok || run.Status.Phase != v1alpha1.PhaseFinished || run.Status.ObservedGeneration != run.Generation
}

// endsFirst puts a run whose pod has ended before all others. That frees its slot, and soon its Job leaves the cache.
type endsFirst struct{ handler.EventHandler }

// Update queues the run of a pod that has changed.
func (h endsFirst) Update(ctx context.Context, update event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	pod, isPod := update.ObjectNew.(*corev1.Pod)
	inOrder, hasOrder := queue.(priorityqueue.PriorityQueue[reconcile.Request])
	if !isPod || !hasOrder || !lifecycle.PodHasEnded(pod) {
		h.EventHandler.Update(ctx, update, queue)
		return
	}
	inOrder.AddWithOpts(priorityqueue.AddOpts{Priority: ptr.To(1)}, runOfPod(ctx, pod)...)
}

func runOfPod(_ context.Context, pod client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: types.NamespacedName{
		Namespace: pod.GetNamespace(), Name: pod.GetLabels()[v1alpha1.LabelRun],
	}}}
}

func (r *Reconciler) runsWaitingFor(ctx context.Context, test client.Object) []reconcile.Request {
	runs := &v1alpha1.TestRunList{}
	err := r.Client.List(ctx, runs, client.InNamespace(test.GetNamespace()), client.MatchingFields{runcache.WaitingForTest: test.GetName()})
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing the runs that wait for a Test", "test", test.GetName())
		return nil
	}
	requests := make([]reconcile.Request, 0, len(runs.Items))
	for i := range runs.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&runs.Items[i])})
	}
	return requests
}
