package retention

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// lookAgain is when to look again after the cache was behind: the news is on its way.
const lookAgain = time.Second

// isDisposable says whether retention has a say: the run has finished, is not pinned, and not going already.
func isDisposable(run *v1alpha1.TestRun) bool {
	return isFinished(run) && run.DeletionTimestamp.IsZero() && !v1alpha1.IsPinned(run)
}

// delete waits for its turn and deletes the run, if it and its Test (nil if none had a say) still are what the decision was
// made from: the API server is asked, not the cache.
func (c *Controllers) delete(ctx context.Context, run *v1alpha1.TestRun, test *v1alpha1.Test, cause cause) (reconcile.Result, error) {
	if c.pace.Wait(ctx) != nil {
		return reconcile.Result{}, nil //nolint:nilerr // the operator stops: there is no other error
	}
	switch changed, err := c.hasChanged(ctx, test); {
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("reading the Test: %w", err)
	case changed:
		return reconcile.Result{RequeueAfter: lookAgain}, nil
	}
	archived := c.isArchived(ctx, run)
	err := c.Client.Delete(ctx, run, client.PropagationPolicy(metav1.DeletePropagationBackground),
		client.Preconditions{UID: ptr.To(run.UID), ResourceVersion: ptr.To(run.ResourceVersion)})
	switch {
	case apierrors.IsNotFound(err):
		return reconcile.Result{}, nil
	case apierrors.IsConflict(err):
		return reconcile.Result{RequeueAfter: lookAgain}, nil
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("deleting the run: %w", err)
	}
	c.Metrics.deleted.WithLabelValues(string(cause)).Inc()
	logger := log.FromContext(ctx)
	if c.Archive != nil {
		logger = logger.WithValues("archived", archived)
		if !archived {
			c.Metrics.unarchived.Inc()
		}
	}
	logger.Info("Deleted the run", "run", run.Name, "runUID", run.UID, "verdict", run.Status.Verdict, "cause", cause)
	return reconcile.Result{}, nil
}

// hasChanged says whether the Test has another spec than it had, or is gone.
func (c *Controllers) hasChanged(ctx context.Context, test *v1alpha1.Test) (bool, error) {
	if test == nil {
		return false, nil
	}
	latest := &v1alpha1.Test{}
	err := c.APIReader.Get(ctx, client.ObjectKeyFromObject(test), latest)
	return latest.UID != test.UID || latest.Generation != test.Generation, client.IgnoreNotFound(err)
}
