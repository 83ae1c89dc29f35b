package jobtable

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobtable/rows"
)

const (
	// actWithin is how long what was read of a row may be acted on. It is less than holdTime, for which a run is kept after its row has
	// ended: so a program that was stopped for a while makes no second run. See docs/decisions/job-table.md.
	actWithin = 20 * time.Second
	holdTime  = time.Minute
	// atOnce is how many requests and statements are under way at the same time.
	atOnce = 8
	// maxRefused is how many runs of one look the API server may refuse before the others have to wait for the next look.
	maxRefused = 20
	// defaultMaxRuns is spec.maxRuns if that is unset.
	defaultMaxRuns = 1000
)

// pass is one look at the rows of a table, and at their runs.
type pass struct {
	*Reconciler
	table *v1alpha1.JobTable
	rows  *rows.Table
	now   time.Time

	// mu guards what follows.
	mu     sync.Mutex
	memory *memory
	open   map[string]*v1alpha1.TestRun
	counts rows.Counts
	// tooLong counts rows whose key is too long, and locked those that somebody else holds.
	tooLong, locked int
	// room is how many runs may be made.
	room int
}

// run looks once. An error is about the database or the API server, not about one row: those are in the memory.
func (p *pass) run(ctx context.Context) error {
	if err := p.readRuns(ctx); err != nil {
		return err
	}
	if err := p.followRuns(ctx); err != nil {
		return err
	}
	for _, state := range []rows.State{rows.Cancel, rows.InProgress} {
		if state == rows.Cancel && p.table.Spec.Statuses.Cancel == "" {
			continue
		}
		if err := p.followRows(ctx, state); err != nil {
			return err
		}
	}
	if err := p.takeRows(ctx); err != nil {
		return err
	}
	var err error
	p.counts, err = p.rows.Count(ctx)
	return err
}

// reference is what tells the row from all others.
func (p *pass) reference(key rows.Key) reference {
	return reference{Database: p.table.Spec.Database, Table: p.rows.Name, ID: key.ID, Created: key.Created, Server: p.rows.Identity}
}

// isOurs says whether the run is that of a row of this table.
func (p *pass) isOurs(run *v1alpha1.TestRun) (reference, bool) {
	ref, ok := referenceOf(run)
	return ref, ok && run.Labels[v1alpha1.LabelJobTable] == p.table.Name && run.Name == ref.name() && p.reference(ref.key()).is(ref)
}

// readRuns reads the runs whose rows do not say yet that they have finished.
func (p *pass) readRuns(ctx context.Context) error {
	list := &v1alpha1.TestRunList{}
	err := p.Client.List(ctx, list, client.InNamespace(p.table.Namespace),
		client.MatchingLabels{v1alpha1.LabelJobTable: p.table.Name, v1alpha1.LabelOpenRow: "true"})
	if err != nil {
		return fmt.Errorf("%w: reading the runs: %w", errAPI, err)
	}
	p.open = map[string]*v1alpha1.TestRun{}
	p.room = int(p.table.Spec.MaxRuns)
	if p.room == 0 {
		p.room = defaultMaxRuns
	}
	for i := range list.Items {
		run := &list.Items[i]
		if _, ours := p.isOurs(run); !ours {
			continue
		}
		p.open[run.Name] = run
		if run.Status.Phase != v1alpha1.PhaseFinished {
			p.room--
		}
	}
	return nil
}

// followRuns has the rows of the runs say how these are.
func (p *pass) followRuns(ctx context.Context) error {
	var keys []rows.Key
	var runs []*v1alpha1.TestRun
	for _, run := range p.open {
		ref, _ := referenceOf(run)
		keys, runs = append(keys, ref.key()), append(runs, run)
	}
	states, err := p.rows.States(ctx, keys)
	if err != nil {
		return err
	}
	return p.each(len(runs), func(i int) error {
		ref, _ := referenceOf(runs[i])
		state, exists := states[ref.key()]
		switch {
		case exists:
			return p.act(ctx, decide(state, runs[i]), ref, runs[i])
		case ref.Server != p.rows.Identity && runs[i].Status.Phase != v1alpha1.PhaseFinished:
			return nil // the database is another one, which may get the row later
		default:
			return p.act(ctx, decideWithoutRow(runs[i]), ref, runs[i])
		}
	})
}

// followRows ends the rows with a state that have no run, or none any more. Those that have one were followed by it.
func (p *pass) followRows(ctx context.Context, state rows.State) error {
	return p.eachPage(ctx, state, func(page []rows.Row) (more bool, err error) {
		var without []rows.Row
		for _, row := range page {
			if _, isOpen := p.open[p.reference(row.Key).name()]; !isOpen {
				without = append(without, row)
			}
		}
		return true, p.each(len(without), func(i int) error {
			ref := p.reference(without[i].Key)
			if p.isPaused(ref) {
				return nil
			}
			run, err := p.askFor(ctx, ref)
			switch {
			case errors.Is(err, errNameTaken):
				return p.end(ctx, ref, endWithout(v1alpha1.VerdictError, v1alpha1.ReasonRunNameTaken, "%v", err))
			case err != nil:
				return err
			case run != nil:
				if err := p.reopen(ctx, run); err != nil {
					return err
				}
			}
			return p.act(ctx, decide(state, run), ref, run)
		})
	})
}

// eachPage calls do with the pages of the rows with a state, while it wants more.
func (p *pass) eachPage(ctx context.Context, state rows.State, do func([]rows.Row) (more bool, err error)) error {
	var after *string
	for {
		page, last, tooLong, err := p.rows.Page(ctx, state, after)
		if err != nil {
			return err
		}
		p.tooLong += tooLong
		more, err := do(page)
		if err != nil || !more || last == nil {
			return err
		}
		after = last
	}
}

// errAPI is an error of the API server, and not of the database.
var errAPI = errors.New("the API server")

var errNameTaken = errors.New("another run has the name that the run of this row needs")

// askFor asks the API server itself for the run of a row; nil if there is none. A cache may be behind.
func (p *pass) askFor(ctx context.Context, ref reference) (*v1alpha1.TestRun, error) {
	run := &v1alpha1.TestRun{}
	err := p.Live.Get(ctx, client.ObjectKey{Namespace: p.table.Namespace, Name: ref.name()}, run)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // there is none
	case err != nil:
		return nil, fmt.Errorf("%w: reading the run: %w", errAPI, err)
	}
	if found, ours := p.isOurs(run); !ours || !found.is(ref) {
		return nil, fmt.Errorf("%w: %s", errNameTaken, run.Name)
	}
	return run, nil
}

// each calls do for each of a number of things, several at once, and returns the errors.
func (p *pass) each(count int, do func(i int) error) error {
	var group sync.WaitGroup
	var failed error
	places := make(chan struct{}, atOnce)
	for i := range count {
		p.mu.Lock()
		stop := failed != nil
		p.mu.Unlock()
		if stop {
			break
		}
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			if err := do(i); err != nil {
				p.mu.Lock()
				defer p.mu.Unlock()
				failed = errors.Join(failed, err)
			}
		})
	}
	group.Wait()
	return failed
}

// isPaused says whether a row is left alone for now, since it could not be handled.
func (p *pass) isPaused(ref reference) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.memory.rows.isPaused(ref.name(), p.now) || p.memory.runs.isPaused(ref.name(), p.now)
}
