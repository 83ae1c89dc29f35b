package jobtable

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobtable/rows"
)

// look is what one look has found.
type look struct {
	// problem keeps rows from becoming runs; nil if nothing does.
	problem *rows.Problem
	// table is nil while it cannot be looked at, and pass until its rows have been.
	table *rows.Table
	pass  *pass
}

// report writes the status, if it says something new.
func (r *Reconciler) report(ctx context.Context, table *v1alpha1.JobTable, found *look, memory *memory) error {
	changed := table.DeepCopy()
	found.fill(&changed.Status, table, memory)
	r.Metrics.show(table.Name, &changed.Status, r.Now())
	if equality.Semantic.DeepEqual(table.Status, changed.Status) {
		return nil
	}
	if err := client.IgnoreNotFound(r.Client.Status().Patch(ctx, changed, client.MergeFrom(table))); err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	return nil
}

// fill makes the status from what was found. Figures of an earlier look stay until a look has new ones.
func (f *look) fill(status *v1alpha1.JobTableStatus, table *v1alpha1.JobTable, memory *memory) {
	status.ObservedGeneration = table.Generation
	reason, message := f.ready(table, memory)
	isReady := metav1.ConditionFalse
	if reason == v1alpha1.ReasonWorking {
		isReady = metav1.ConditionTrue
	}
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: isReady, Reason: reason, Message: rows.Bounded(message, 1024), ObservedGeneration: table.Generation,
	})
	if f.table != nil {
		status.Table, status.Server = f.table.Identity, f.table.Server
		indexed := metav1.Condition{
			Type: v1alpha1.ConditionIndexed, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonIndexFound, ObservedGeneration: table.Generation,
			Message: "An index leads to the rows that have not finished",
		}
		if f.table.Index != "" {
			indexed.Status, indexed.Reason = metav1.ConditionFalse, v1alpha1.ReasonIndexMissing
			indexed.Message = rows.Bounded("Each look reads the whole table, finished rows too: "+f.table.Index, 1024)
		}
		meta.SetStatusCondition(&status.Conditions, indexed)
	}
	if f.pass == nil || f.problem != nil {
		return
	}
	status.Pending, status.InProgress = ptr.To(int32(f.pass.counts.Pending)), ptr.To(int32(f.pass.counts.InProgress)) //nolint:gosec // MaxCount is their limit
	status.OldestPending = memory.oldestSince
	unfinished := int32(0)
	for _, run := range f.pass.open {
		if run.Status.Phase != v1alpha1.PhaseFinished {
			unfinished++
		}
	}
	status.Runs = &unfinished
}

// ready is the reason and the message of the condition Ready.
func (f *look) ready(table *v1alpha1.JobTable, memory *memory) (reason, message string) {
	if f.problem != nil {
		return f.problem.Reason, f.problem.Message
	}
	memory.rows.forget(f.pass.now)
	memory.runs.forget(f.pass.now)
	switch {
	case f.pass.tooLong > 0:
		return v1alpha1.ReasonRowsRefused, fmt.Sprintf("The key of %d rows has more than 255 characters: no run is made of them. All other rows go on", f.pass.tooLong)
	case len(memory.rows) > 0:
		first := memory.rows.any()
		return v1alpha1.ReasonRowsRefused, fmt.Sprintf("The database refuses to change %d rows, which are tried again; all others go on. Of row %s it says: %s", len(memory.rows), first.id, first.message)
	case len(memory.runs) > 0:
		first := memory.runs.any()
		return v1alpha1.ReasonRunsRefused, fmt.Sprintf("The API server refuses the runs of %d rows, which stay pending and are tried again; all others go on. Of row %s it says: %s", len(memory.runs), first.id, first.message)
	case table.Spec.Suspend != nil && *table.Spec.Suspend:
		return v1alpha1.ReasonSuspended, "spec.suspend is set: no row becomes a run. Runs that exist go on"
	case f.pass.locked > 0:
		return v1alpha1.ReasonWorking, fmt.Sprintf("Rows become runs. Somebody holds a lock on %d rows, which are written once it is gone", f.pass.locked)
	case f.table.FilteredFor != "":
		return v1alpha1.ReasonWorking, fmt.Sprintf("Rows become runs, and say how these are. The table has row level security: a row that no policy shows to the user %s "+
			"counts as deleted", f.table.FilteredFor)
	case memory.isPooled.Load():
		return v1alpha1.ReasonWorking, "Rows become runs, and say how these are. PostgreSQL cannot say at once that there is a new row, since a pooler such as " +
			"PgBouncer is in between: the table is looked at every spec.pollInterval"
	default:
		return v1alpha1.ReasonWorking, "Rows become runs, and say how these are"
	}
}

// isTaken says whether an older JobTable takes rows of the same table that this one would take, too. Two that match different values of one
// column share a table well.
func (r *Reconciler) isTaken(ctx context.Context, table *v1alpha1.JobTable, found *rows.Table) (*rows.Problem, error) {
	list := &v1alpha1.JobTableList{}
	if err := r.Client.List(ctx, list, client.InNamespace(table.Namespace)); err != nil {
		return nil, fmt.Errorf("reading the JobTables: %w", err)
	}
	for i := range list.Items {
		other := &list.Items[i]
		isSame := other.Status.Table == found.Identity || other.Spec.Database == table.Spec.Database && other.Spec.Table == table.Spec.Table
		if other.Name != table.Name && other.DeletionTimestamp.IsZero() && isSame && isOlder(other, table) && !areApart(other, table) {
			return &rows.Problem{Reason: v1alpha1.ReasonTableTaken, Message: fmt.Sprintf("The JobTable %s takes the same rows of %s: delete one of the two, or have "+
				"each match other values of one column", other.Name, found.Name)}, nil
		}
	}
	return nil, nil
}

func isOlder(a, b *v1alpha1.JobTable) bool {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name)) < 0
}

// areApart says whether no row matches both.
func areApart(a, b *v1alpha1.JobTable) bool {
	return slices.ContainsFunc(a.Spec.Match, func(one v1alpha1.ColumnMatch) bool {
		return slices.ContainsFunc(b.Spec.Match, func(other v1alpha1.ColumnMatch) bool {
			return one.Column == other.Column && !slices.ContainsFunc(one.Values, func(value string) bool { return slices.Contains(other.Values, value) })
		})
	})
}
