package retention

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// byAge deletes a run once its TTL is over.
type byAge struct{ *Controllers }

// Reconcile looks at one finished run.
func (c byAge) Reconcile(ctx context.Context, run *v1alpha1.TestRun) (reconcile.Result, error) {
	test, err := c.testOf(ctx, run)
	if err != nil {
		return reconcile.Result{}, err
	}
	ttl := ttlOf(run, test)
	if ttl == nil || run.Status.FinishTime == nil || !isDisposable(run) {
		return reconcile.Result{}, nil
	}
	if left := run.Status.FinishTime.Add(ttl.Duration).Sub(c.Clock.Now()); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	due, left := c.next(ctx, c.agesWaiting, run, run)
	if due == nil {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	return c.delete(ctx, due, test, causeTTL)
}

// testOf reads the Test that the run refers to; nil when it does not exist, or when the run defines its test inline.
func (c byAge) testOf(ctx context.Context, run *v1alpha1.TestRun) (*v1alpha1.Test, error) {
	name := testNameOf(run)
	if name == "" {
		return nil, nil
	}
	test := &v1alpha1.Test{}
	err := c.Client.Get(ctx, client.ObjectKey{Namespace: run.Namespace, Name: name}, test)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the Test: %w", err)
	}
	return test, nil
}

// ttlOf returns how long the run is kept once it has finished; nil means for ever.
func ttlOf(run *v1alpha1.TestRun, test *v1alpha1.Test) *v1alpha1.Duration {
	if run.Spec.TTLAfterFinished != nil {
		return run.Spec.TTLAfterFinished
	}
	var ttl v1alpha1.TTL
	switch {
	case run.Spec.TestSpec != nil:
		ttl = run.Spec.TestSpec.Retention.TTL
	case test != nil:
		ttl = test.Spec.Retention.TTL
	}
	switch run.Status.Verdict {
	case v1alpha1.VerdictPassed:
		return ttl.Passed
	case v1alpha1.VerdictFailed:
		return ttl.Failed
	case v1alpha1.VerdictError:
		return ttl.Error
	case v1alpha1.VerdictTimedOut:
		return ttl.TimedOut
	case v1alpha1.VerdictCancelled:
		return ttl.Cancelled
	default:
		return nil
	}
}
