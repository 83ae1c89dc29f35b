// Package jobtable makes the rows of an application's own table into runs, and has the rows say how these ended. The table stays the front:
// the application inserts a row in its own transaction, and reads the status and the steps from it.
package jobtable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobtable/rows"
)

const (
	// defaultPoll is spec.pollInterval if that is unset.
	defaultPoll = 5 * time.Second
	// pause is the least time from one look to the next, whatever happens.
	pause = 200 * time.Millisecond
	// lookInterval is after how long the table itself is looked at again: somebody may have changed it.
	lookInterval = time.Minute
	// maxURL is how long the URL of a database may be.
	maxURL = 16 << 10
)

// Reconciler follows the tables of one namespace.
type Reconciler struct {
	// Client reads from a cache, and Live from the API server itself.
	Client client.Client
	Live   client.Reader
	// Recorder takes events.
	Recorder events.EventRecorder
	// Folder holds the URLs of the databases: it is a mounted Secret.
	Folder string
	// Now tells the time.
	Now func() time.Time
	// Metrics takes the figures.
	Metrics *Metrics
	// Wrap changes how connections are made. Nil changes nothing.
	Wrap rows.Wrap
	// Wake takes the names of tables that have news. Nil is for tests, which look when they want to.
	Wake chan event.TypedGenericEvent[client.ObjectKey]

	mu     sync.Mutex
	tables map[client.ObjectKey]*memory
}

// Reconcile looks at a table and its runs, and has each say what the other does.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	table := &v1alpha1.JobTable{}
	err := r.Client.Get(ctx, request.NamespacedName, table)
	switch {
	case apierrors.IsNotFound(err):
		return reconcile.Result{}, r.forget(ctx, request.NamespacedName)
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("reading the JobTable: %w", err)
	}
	memory := r.memoryOf(request.NamespacedName)
	now := r.Now()
	if wait := memory.passedAt.Add(pause).Sub(now); wait > 0 && r.Wake != nil {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	memory.passedAt = now
	poll := defaultPoll
	if table.Spec.PollInterval != nil {
		poll = table.Spec.PollInterval.Duration
	}
	look, err := r.look(ctx, table, memory)
	switch {
	case ctx.Err() != nil:
		return reconcile.Result{}, nil //nolint:nilerr // the program ends
	case err != nil:
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: poll}, r.report(ctx, table, look, memory)
}

// look looks once. Its error is about the API server; what is wrong with the database or the table is for the status.
func (r *Reconciler) look(ctx context.Context, table *v1alpha1.JobTable, memory *memory) (*look, error) {
	found := &look{}
	if err := r.open(ctx, table, memory); err != nil {
		found.problem = rows.ProblemOf(err)
		return found, nil
	}
	found.table = memory.table
	if taken, err := r.isTaken(ctx, table, memory.table); err != nil || taken != nil {
		found.problem = taken
		return found, err
	}
	p := &pass{Reconciler: r, table: table, rows: memory.table, now: r.Now(), memory: memory}
	began := time.Now()
	err := p.run(ctx)
	r.Metrics.looks.WithLabelValues(table.Name).Observe(time.Since(began).Seconds())
	found.pass = p
	switch {
	case errors.Is(err, errAPI):
		return found, err
	case err != nil && ctx.Err() == nil:
		log.FromContext(ctx).Error(err, "The look at the table broke off")
		found.problem = rows.ProblemOf(err)
		memory.lookedAt = time.Time{} // the table itself may say better what is wrong
	}
	return found, nil
}

// open sees that the memory has the table, as it is now.
func (r *Reconciler) open(ctx context.Context, table *v1alpha1.JobTable, memory *memory) error {
	url, err := r.readURL(table.Spec.Database)
	if err != nil {
		memory.close()
		return err
	}
	if memory.database == nil || memory.url != url || memory.generation != table.Generation {
		memory.close()
		if memory.database, err = rows.Open(url, r.Wrap); err != nil {
			memory.database = nil
			return err
		}
		memory.url, memory.generation, memory.lookedAt = url, table.Generation, time.Time{}
	}
	if memory.table != nil && r.Now().Sub(memory.lookedAt) < lookInterval {
		return nil
	}
	found, err := memory.database.Table(ctx, mappingOf(table))
	if err != nil {
		memory.table = nil
		return err
	}
	memory.table, memory.lookedAt = found, r.Now()
	r.listen(ctx, table, memory)
	return nil
}

// readURL reads the file of a database. The schema allows no name that leads out of the folder.
func (r *Reconciler) readURL(name string) (string, error) {
	file, err := os.Open(filepath.Join(r.Folder, name))
	if err != nil {
		return "", &rows.Problem{Reason: v1alpha1.ReasonDatabaseNotFound, Message: fmt.Sprintf(
			"There is no database %s: the Secret testrun-jobtable of this namespace needs a key of that name, which holds the URL of the database", name)}
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxURL+1))
	if err != nil || len(text) > maxURL {
		return "", &rows.Problem{Reason: v1alpha1.ReasonDatabaseInvalid, Message: fmt.Sprintf("The key %s of the Secret cannot be read, or is longer than a URL", name)}
	}
	return string(text), nil
}

// mappingOf says what the columns of the table mean.
func mappingOf(table *v1alpha1.JobTable) rows.Mapping {
	spec := table.Spec
	m := rows.Mapping{
		Table: spec.Table, ID: spec.Columns.ID, Status: spec.Columns.Status, Created: spec.Columns.Created, Data: spec.Columns.Data,
		Verdict: spec.Columns.Verdict, Pending: spec.Statuses.Pending, InProgress: spec.Statuses.InProgress, Finished: spec.Statuses.Finished,
		Cancel: spec.Statuses.Cancel, Columns: columnsOf(&spec.Run),
	}
	for _, verdict := range []v1alpha1.Verdict{
		v1alpha1.VerdictPassed, v1alpha1.VerdictFailed, v1alpha1.VerdictError, v1alpha1.VerdictTimedOut, v1alpha1.VerdictCancelled,
	} {
		m.Verdicts = append(m.Verdicts, string(verdict))
	}
	for _, match := range spec.Match {
		m.Match = append(m.Match, rows.Match{Column: match.Column, Values: match.Values})
	}
	return m
}

func (r *Reconciler) memoryOf(key client.ObjectKey) *memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tables == nil {
		r.tables = map[client.ObjectKey]*memory{}
	}
	if r.tables[key] == nil {
		r.tables[key] = newMemory()
	}
	return r.tables[key]
}

// forget ends what is done for a JobTable that is gone. Its runs go on, and nobody keeps them from being deleted any more.
func (r *Reconciler) forget(ctx context.Context, key client.ObjectKey) error {
	r.mu.Lock()
	if memory := r.tables[key]; memory != nil {
		memory.close()
	}
	delete(r.tables, key)
	r.mu.Unlock()
	r.Metrics.forget(key.Name)
	list := &v1alpha1.TestRunList{}
	if err := r.Client.List(ctx, list, client.InNamespace(key.Namespace),
		client.MatchingLabels{v1alpha1.LabelJobTable: key.Name, v1alpha1.LabelOpenRow: "true"}); err != nil {
		return fmt.Errorf("reading the runs: %w", err)
	}
	for i := range list.Items {
		if err := r.unpin(ctx, &list.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

// Close ends all connections.
func (r *Reconciler) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, memory := range r.tables {
		memory.close()
		delete(r.tables, key)
	}
}

// SawDeleted is told of each run that is gone while its row had not finished.
func (r *Reconciler) SawDeleted(run *v1alpha1.TestRun) {
	key := client.ObjectKey{Namespace: run.Namespace, Name: run.Labels[v1alpha1.LabelJobTable]}
	memory := r.memoryOf(key)
	r.mu.Lock()
	defer r.mu.Unlock()
	remember(memory.deleted, run.Name)
}
