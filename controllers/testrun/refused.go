package testrun

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/lifecycle"
)

// refusedRetry is how long a run is left alone if the API server refuses every status of it.
const refusedRetry = 10 * time.Minute

// refusedRuns holds the runs of which the API server refuses every status, and since when.
type refusedRuns struct{ runs *lru.Cache }

// refusedRun is a version of such a run. A new version is looked at again, because the change may have repaired it.
type refusedRun struct {
	version string
	since   time.Time
}

func newRefusedRuns() refusedRuns { return refusedRuns{lru.New(remembered)} }

// left is how much longer the run is left alone.
func (r refusedRuns) left(run *v1alpha1.TestRun, now time.Time) time.Duration {
	known, ok := r.runs.Get(run.UID)
	if !ok || known.(refusedRun).version != run.ResourceVersion {
		return 0
	}
	return known.(refusedRun).since.Add(refusedRetry).Sub(now)
}

// add leaves the run alone from now on, and says whether that is new.
func (r refusedRuns) add(run *v1alpha1.TestRun, now time.Time) bool {
	_, known := r.runs.Get(run.UID)
	r.runs.Add(run.UID, refusedRun{run.ResourceVersion, now})
	return !known
}

func (r refusedRuns) forget(uid types.UID) { r.runs.Remove(uid) }

// endRefused ends a run whose status the API server refuses as invalid, because it would refuse it forever. First it stops what may still
// run, because a run that has ended holds no slot. See docs/decisions/trust.md.
func (r *Reconciler) endRefused(ctx context.Context, seen lifecycle.Observation, status v1alpha1.TestRunStatus, cause error, now time.Time) (reconcile.Result, error) {
	log.FromContext(ctx).Error(cause, "The API server refuses the status of the run", "phase", status.Phase)
	why := lifecycle.Finished(v1alpha1.VerdictError, v1alpha1.ReasonStatusRefused, fmt.Sprintf("The API server refuses the status of the run: %v", cause))
	if status.Phase != v1alpha1.PhaseFinished && lifecycle.MayStillRun(seen) {
		if err := r.stop(ctx, seen, why); err != nil {
			return again(ctx, err)
		}
		return reconcile.Result{RequeueAfter: lastRetry}, nil
	}
	if err := r.confirm(ctx, seen, lifecycle.Plan{State: why}); err != nil {
		return again(ctx, err)
	}
	ended := lifecycle.LeastStatus(seen.Run, why, now)
	err := r.patchStatus(ctx, seen.Run, ended)
	if err == nil {
		r.refused.forget(seen.Run.UID)
		r.announce(ctx, seen.Run, ended)
		return reconcile.Result{}, nil
	}
	if !apierrors.IsInvalid(err) {
		return again(ctx, err)
	}
	r.runEnds(seen.Run, nil, lifecycle.MayRemain(seen))
	if r.refused.add(seen.Run, now) {
		log.FromContext(ctx).Error(errors.Join(cause, err), "The API server takes no status of the run at all: it cannot end, and holds no slot of its queue",
			"nextTry", refusedRetry.String())
	}
	return reconcile.Result{RequeueAfter: refusedRetry}, nil
}
