package retention

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archivestatus"
)

// Archive is what retention waits for.
type Archive struct {
	// Watcher knows what the archive has stored.
	Watcher *archivestatus.Watcher
	// Patience is how long a run waits for the archive at most, from its end on. 0 waits for nothing.
	Patience time.Duration
}

// next returns the first of the runs that may be deleted now. If all have to wait for the archive there is none: what is looked at, a run or
// a Test, is then looked at again once the archive has stored one of them, and after the time that is left in any case.
func (c *Controllers) next(ctx context.Context, waits *waiting, lookedAt client.Object, runs ...*v1alpha1.TestRun) (due *v1alpha1.TestRun, left time.Duration) {
	if due, left = c.firstDue(ctx, runs); due != nil || len(runs) == 0 {
		return due, left
	}
	request := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(lookedAt)}
	for _, run := range runs {
		waits.add(request, run.ResourceVersion)
	}
	return c.firstDue(ctx, runs) // what was stored since the look above has woken nobody
}

// firstDue returns the first of the runs that may be deleted now. If all have to wait there is none, and the shortest time that is left.
func (c *Controllers) firstDue(ctx context.Context, runs []*v1alpha1.TestRun) (due *v1alpha1.TestRun, left time.Duration) {
	for i, run := range runs {
		more := c.patienceLeft(run)
		if more <= 0 || c.isArchived(ctx, run) {
			return run, 0
		}
		if i == 0 || more < left {
			left = more
		}
	}
	return nil, left
}

// patienceLeft is how much longer the run may wait for the archive.
func (c *Controllers) patienceLeft(run *v1alpha1.TestRun) time.Duration {
	if c.Archive == nil || c.Archive.Patience == 0 {
		return 0
	}
	return endOf(run).Add(c.Archive.Patience).Sub(c.Clock.Now())
}

// isArchived says whether the archive has the run in this version.
func (c *Controllers) isArchived(ctx context.Context, run *v1alpha1.TestRun) bool {
	return c.Archive != nil && c.Archive.Watcher.Status(ctx).Holds(run.ResourceVersion)
}
