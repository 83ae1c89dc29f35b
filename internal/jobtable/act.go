package jobtable

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobtable/rows"
)

// Events of a JobTable.
const (
	eventRunDeleted  = "RunDeleted"
	eventForeignWord = "ForeignStatus"
	eventRowGone     = "RowGone"
)

// act does what was decided for one row. Its error is about the database or the API server as a whole.
func (p *pass) act(ctx context.Context, do action, ref reference, run *v1alpha1.TestRun) error {
	switch do {
	case showProgress:
		_, err := p.write(ctx, ref, rows.Change{State: rows.InProgress})
		return err
	case showEnd:
		return p.end(ctx, ref, endOf(run))
	case endDeleted:
		p.tell(ref, eventRunDeleted, "Row %s of %s says that it is in progress, and the run %s does not exist: the row ends as %s", ref.ID, ref.Table, ref.name(), v1alpha1.VerdictError)
		return p.end(ctx, ref, endWithout(v1alpha1.VerdictError, v1alpha1.ReasonRunDeleted,
			"The run %s does not exist: somebody has deleted it, or another program has set the row in progress. Insert a new row to run the test again", ref.name()))
	case endCancelled:
		return p.end(ctx, ref, endWithout(v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, "The row was cancelled before its test ran"))
	case cancelRun:
		return p.cancel(ctx, run)
	case leave:
		p.tell(ref, eventForeignWord, "Row %s of %s has a status that is none of spec.statuses: somebody else has written it, and its run %s changes it no more", ref.ID, ref.Table, run.Name)
		return p.release(ctx, run)
	case release:
		return p.release(ctx, run)
	case nothing, create:
	}
	return nil
}

// end has a row say that it has finished, and how.
func (p *pass) end(ctx context.Context, ref reference, how end) error {
	change := rows.Change{State: rows.Finished, Verdict: string(how.Verdict)}
	if p.rows.HasData() {
		change.Data = how.data(p.table.Spec.Data.Format, p.rows.DataLimit(int(max(p.table.Spec.Data.MaxBytes, 256))))
	}
	hasChanged, err := p.write(ctx, ref, change)
	if hasChanged {
		p.Metrics.ended.WithLabelValues(p.table.Name, change.Verdict).Inc()
	}
	return err
}

// write changes a row, and says whether it did. What the database says of that row alone is remembered, and holds up no other.
func (p *pass) write(ctx context.Context, ref reference, change rows.Change) (hasChanged bool, err error) {
	if p.isPaused(ref) {
		return false, nil
	}
	outcome, err := p.rows.Write(ctx, ref.key(), change)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil && rows.IsOfOneRow(err):
		p.memory.rows.add(ref.name(), ref.ID, rows.ProblemOf(err).Message, p.now)
	case err != nil:
		return false, err
	case outcome == rows.Locked:
		p.locked++
	default:
		delete(p.memory.rows, ref.name())
	}
	return err == nil && outcome == rows.Changed, nil
}

// tell writes an event about a row, once.
func (p *pass) tell(ref reference, reason, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := reason + " " + ref.name()
	if p.memory.told[name] {
		return
	}
	remember(p.memory.told, name)
	p.Recorder.Eventf(p.table, nil, corev1.EventTypeWarning, reason, "FollowRow", "%s", rows.Bounded(fmt.Sprintf(format, args...), 1000))
}

// cancel asks the operator to end a run. A run that has gone needs no end.
func (p *pass) cancel(ctx context.Context, run *v1alpha1.TestRun) error {
	if run.Spec.Cancel != nil && *run.Spec.Cancel {
		return nil
	}
	changed := run.DeepCopy()
	changed.Spec.Cancel = ptr.To(true)
	if err := client.IgnoreNotFound(p.Client.Patch(ctx, changed, client.MergeFrom(run))); err != nil {
		return fmt.Errorf("%w: cancelling the run: %w", errAPI, err)
	}
	return nil
}

// release lets retention have a run whose row has finished. It does so only after a while: a program that was stopped before, and a database
// that has lost its last seconds, still find the run.
func (p *pass) release(ctx context.Context, run *v1alpha1.TestRun) error {
	if ended := run.Status.FinishTime; ended != nil && p.Now().Sub(ended.Time) < holdTime {
		return nil
	}
	return p.unpin(ctx, run)
}

func (r *Reconciler) unpin(ctx context.Context, run *v1alpha1.TestRun) error {
	changed := run.DeepCopy()
	delete(changed.Labels, v1alpha1.LabelOpenRow)
	if changed.Annotations[v1alpha1.AnnotationPinned] == v1alpha1.PinnedByJobTable {
		delete(changed.Annotations, v1alpha1.AnnotationPinned)
	}
	err := r.Client.Patch(ctx, changed, client.MergeFromWithOptions(run, client.MergeFromWithOptimisticLock{}))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // the next look sees what has changed
	}
	if err != nil {
		return fmt.Errorf("%w: releasing the run: %w", errAPI, err)
	}
	return nil
}

// reopen marks a run whose row has not finished, after somebody has taken the marks away.
func (p *pass) reopen(ctx context.Context, run *v1alpha1.TestRun) error {
	if run.Labels[v1alpha1.LabelOpenRow] == "true" {
		return nil
	}
	changed := run.DeepCopy()
	changed.Labels[v1alpha1.LabelOpenRow] = "true"
	if _, isPinned := changed.Annotations[v1alpha1.AnnotationPinned]; !isPinned {
		changed.Annotations[v1alpha1.AnnotationPinned] = v1alpha1.PinnedByJobTable
	}
	if err := client.IgnoreNotFound(p.Client.Patch(ctx, changed, client.MergeFrom(run))); err != nil {
		return fmt.Errorf("%w: marking the run: %w", errAPI, err)
	}
	return nil
}
