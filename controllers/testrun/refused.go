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
)

// refusedRetry is how long a run is left alone for which the API server takes no status at all.
const refusedRetry = 10 * time.Minute

// refusedRuns are the runs for which the API server takes no status at all, and since when.
type refusedRuns struct{ runs *lru.Cache }

// refusedRun is a version of such a run. A change of the run may mend it, and then it is looked at again.
type refusedRun struct {
	version string
	since   time.Time
}

func newRefusedRuns() refusedRuns { return refusedRuns{lru.New(remembered)} }

// left is for how long the run is still to be left alone.
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

// endRefused ends a run whose status the API server refuses as invalid: it would refuse it for ever. What may still run is stopped
// before, because a run that has ended holds no slot.
func (r *Reconciler) endRefused(ctx context.Context, seen observation, status v1alpha1.TestRunStatus, cause error, now time.Time) (reconcile.Result, error) {
	log.FromContext(ctx).Error(cause, "The API server refuses the status of the run", "phase", status.Phase)
	why := finished(v1alpha1.VerdictError, v1alpha1.ReasonStatusRefused, fmt.Sprintf("The API server refuses the status of the run: %v", cause))
	if status.Phase != v1alpha1.PhaseFinished && mayStillRun(seen) {
		if err := r.stop(ctx, seen, why); err != nil {
			return again(ctx, err)
		}
		return reconcile.Result{RequeueAfter: lastRetry}, nil
	}
	if err := r.confirm(ctx, seen, plan{state: why}); err != nil {
		return again(ctx, err)
	}
	ended := leastStatus(seen.run, why, now)
	err := r.patchStatus(ctx, seen.run, ended)
	if err == nil {
		r.finished.Add(seen.run.UID, nil)
		r.refused.forget(seen.run.UID)
		r.announce(ctx, seen.run, ended)
		return reconcile.Result{}, nil
	}
	if !apierrors.IsInvalid(err) {
		return again(ctx, err)
	}
	r.runEnds(seen.run, nil, mayRemain(seen))
	if r.refused.add(seen.run, now) {
		log.FromContext(ctx).Error(errors.Join(cause, err), "The API server takes no status of the run at all: it cannot end, and holds no slot of its queue",
			"nextTry", refusedRetry.String())
	}
	return reconcile.Result{RequeueAfter: refusedRetry}, nil
}

// mayStillRun says whether the attempt's Job may have a pod that has not ended.
func mayStillRun(seen observation) bool {
	return seen.job != nil && jobEnd(seen.job) == nil && stopOfJob(seen.job) == nil && !podHasEnded(seen.pod)
}

// leastStatus is the end of a run in nothing but words of ours, beside what is stored already.
func leastStatus(run *v1alpha1.TestRun, why *state, now time.Time) v1alpha1.TestRunStatus {
	status := *run.Status.DeepCopy()
	status.ObservedGeneration = run.Generation
	status.Phase, status.Verdict = why.phase, why.verdict
	status.FinishTime = secondsOf(now)
	setConditions(&status, run, why, now)
	bound(&status)
	return status
}
