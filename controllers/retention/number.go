package retention

import (
	"cmp"
	"context"
	"slices"
	"time"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// byNumber deletes the oldest runs of a Test that has more finished ones than it keeps.
type byNumber struct{ *Controllers }

// Reconcile deletes at most one run: that it is gone is the event which asks for the next look, at runs and Test as they are
// by then. It leaves out those that wait for the archive.
func (c byNumber) Reconcile(ctx context.Context, test *v1alpha1.Test) (reconcile.Result, error) {
	keep := test.Spec.Retention.Keep
	if keep == (v1alpha1.Keep{}) {
		return reconcile.Result{}, nil
	}
	runs, err := c.finishedRuns(ctx, test)
	if err != nil {
		return reconcile.Result{}, err
	}
	due, left := c.next(ctx, c.numbersWaiting, test, surplus(runs, keep)...)
	if due == nil {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	return c.delete(ctx, due, test, causeKeep)
}

// surplus returns the runs beyond those that are kept: first those that passed, each the oldest first.
//
// A list that is behind does no harm. It lacks runs that have finished since, so fewer of it are surplus; and those that it
// holds although they have been deleted for their number since are surplus in it, not among those that it counts as kept.
func surplus(runs []v1alpha1.TestRun, keep v1alpha1.Keep) []*v1alpha1.TestRun {
	var passed, notPassed []*v1alpha1.TestRun
	for i := range runs {
		switch run := &runs[i]; {
		case !isDisposable(run): // it is not counted either
		case run.Status.Verdict == v1alpha1.VerdictPassed:
			passed = append(passed, run)
		default:
			notPassed = append(notPassed, run)
		}
	}
	return append(allButLast(keep.Passed, passed), allButLast(keep.NotPassed, notPassed)...)
}

// allButLast returns the runs without the last n of them, oldest first; none when n is nil.
func allButLast(n *int32, runs []*v1alpha1.TestRun) []*v1alpha1.TestRun {
	if n == nil {
		return nil
	}
	slices.SortFunc(runs, olderFirst)
	return runs[:max(0, len(runs)-int(*n))]
}

// endOf is when the run finished; when it was created if nothing says so.
func endOf(run *v1alpha1.TestRun) time.Time {
	return ptr.Deref(run.Status.FinishTime, run.CreationTimestamp).Time
}

func olderFirst(a, b *v1alpha1.TestRun) int {
	return cmp.Or(
		endOf(a).Compare(endOf(b)),
		a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		cmp.Compare(a.Name, b.Name),
	)
}
