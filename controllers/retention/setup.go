// Package retention deletes finished runs, and nothing else in the operator does: by age, when a TTL is over, and by number,
// when a Test has more of them than it keeps. What a run owns goes with it: Kubernetes' garbage collector sees to that.
package retention

import (
	"context"
	"fmt"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
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

// What the controllers may do. Everything else is refused to them.
//
// +kubebuilder:rbac:groups=testrun.dev,resources=tests,verbs=get;list;watch
// +kubebuilder:rbac:groups=testrun.dev,resources=testruns,verbs=get;list;watch;delete
// +kubebuilder:rbac:groups="",namespace=testrun-system,resources=configmaps,resourceNames=testrun-archive,verbs=list;watch

// finishedOfTest indexes the finished runs by the name of their Test.
const finishedOfTest = "finishedOfTest"

// Controllers are the two that delete runs. They share one pace.
type Controllers struct {
	// Client reads from the cache and writes to the API server.
	Client client.Client
	// APIReader reads from the API server itself: what is deleted cannot be brought back.
	APIReader client.Reader
	// Clock tells the time.
	Clock clock.PassiveClock
	// Metrics counts the deletions.
	Metrics *Metrics
	// DeletionsPerSecond is how many runs both together delete in a second; at least 1.
	DeletionsPerSecond int
	// Archive is waited for before a run is deleted. Nil means that there is none.
	Archive *Archive

	pace *rate.Limiter
	// agesWaiting and numbersWaiting hold what waits for the archive, of each controller.
	agesWaiting, numbersWaiting *waiting
}

// SetupWithManager registers the controllers. Each has one worker, which waits when it is not its turn to delete: what is
// due then waits in the queue, and costs nothing there.
func (c *Controllers) SetupWithManager(ctx context.Context, mgr ctrl.Manager) error {
	if c.DeletionsPerSecond < 1 {
		return fmt.Errorf("%d deletions per second: it is at least 1", c.DeletionsPerSecond)
	}
	c.pace = rate.NewLimiter(rate.Limit(c.DeletionsPerSecond), 1)
	c.agesWaiting, c.numbersWaiting = newWaiting(), newWaiting()
	if c.Archive != nil {
		c.Archive.Watcher.OnChange(c.agesWaiting.wake)
		c.Archive.Watcher.OnChange(c.numbersWaiting.wake)
	}
	c.Metrics.waiting = func() int { return c.agesWaiting.len() + c.numbersWaiting.len() }
	if err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.TestRun{}, finishedOfTest, testOfFinished); err != nil {
		return err
	}
	finished := builder.WithPredicates(predicate.NewPredicateFuncs(isFinished))
	err := ctrl.NewControllerManagedBy(mgr).Named("retention-by-age").
		For(&v1alpha1.TestRun{}, builder.WithPredicates(predicate.NewPredicateFuncs(mayHaveTTL))).
		Watches(&v1alpha1.Test{}, handler.EnqueueRequestsFromMapFunc(c.runsOf), builder.WithPredicates(changeOf(ttlOfTest))).
		WatchesRawSource(source.Func(c.agesWaiting.source)).
		Complete(c.agesWaiting.looked(reconcile.AsReconciler(c.Client, byAge{c})))
	if err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).Named("retention-by-number").
		For(&v1alpha1.Test{}, builder.WithPredicates(changeOf(keepOfTest))).
		Watches(&v1alpha1.TestRun{}, handler.EnqueueRequestsFromMapFunc(testOf), finished).
		WatchesRawSource(source.Func(c.numbersWaiting.source)).
		Complete(c.numbersWaiting.looked(reconcile.AsReconciler(c.Client, byNumber{c})))
}

func isFinished(obj client.Object) bool {
	run, ok := obj.(*v1alpha1.TestRun)
	return ok && run.Status.Phase == v1alpha1.PhaseFinished
}

// mayHaveTTL says whether a run has finished and has a TTL, or a Test that may have one.
func mayHaveTTL(obj client.Object) bool {
	run, ok := obj.(*v1alpha1.TestRun)
	return ok && isFinished(run) && (testNameOf(run) != "" || ttlOf(run, nil) != nil)
}

func ttlOfTest(test *v1alpha1.Test) any  { return test.Spec.Retention.TTL }
func keepOfTest(test *v1alpha1.Test) any { return test.Spec.Retention.Keep }

// changeOf lets a Test through when that part of it is new, so that other changes of a Test cost nothing.
func changeOf(part func(*v1alpha1.Test) any) predicate.Predicate {
	return predicate.TypedFuncs[client.Object]{
		CreateFunc: func(e event.CreateEvent) bool { return differs(part, &v1alpha1.Test{}, e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool { return differs(part, e.ObjectOld, e.ObjectNew) },
		DeleteFunc: func(event.DeleteEvent) bool { return false },
	}
}

func differs(part func(*v1alpha1.Test) any, before, after client.Object) bool {
	old, ok := before.(*v1alpha1.Test)
	test, isTest := after.(*v1alpha1.Test)
	return ok && isTest && !equality.Semantic.DeepEqual(part(old), part(test))
}

func testOfFinished(obj client.Object) []string {
	run, ok := obj.(*v1alpha1.TestRun)
	if !ok || testNameOf(run) == "" || !isFinished(run) {
		return nil
	}
	return []string{testNameOf(run)}
}

// testNameOf is the name of the Test that the run executed; empty for a definition of its own. A run that repeats another one
// knows it from its status.
func testNameOf(run *v1alpha1.TestRun) string {
	if run.Spec.TestRef != nil {
		return run.Spec.TestRef.Name
	}
	return run.Status.Test
}

func testOf(_ context.Context, run client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, name := range testOfFinished(run) {
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: run.GetNamespace(), Name: name}})
	}
	return requests
}

func (c *Controllers) runsOf(ctx context.Context, test client.Object) []reconcile.Request {
	runs, err := c.finishedRuns(ctx, test)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing the finished runs of a Test", "test", test.GetName())
		return nil
	}
	requests := make([]reconcile.Request, 0, len(runs))
	for i := range runs {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&runs[i])})
	}
	return requests
}

// finishedRuns returns the finished runs of the Test as the cache holds them: they are not to be changed.
func (c *Controllers) finishedRuns(ctx context.Context, test client.Object) ([]v1alpha1.TestRun, error) {
	runs := &v1alpha1.TestRunList{}
	err := c.Client.List(ctx, runs, client.InNamespace(test.GetNamespace()),
		client.MatchingFields{finishedOfTest: test.GetName()}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("listing the finished runs: %w", err)
	}
	return runs.Items, nil
}
