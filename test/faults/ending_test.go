package faults

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/conditions"
	"github.com/testrun-dev/testrun/test/history"
)

// ending is a run that has been through all: its history, and how it was found in the end.
type ending struct {
	name     string
	scenario *scenario
	history  []history.Entry
	// hangs says what did not happen; nil if all did.
	hangs error
	// remains says what was not gone after the run had been deleted; nil if all was.
	remains error
	// writesAgain are the writes that a new controller made after all was over.
	writesAgain []string
}

// endOf waits until the runs have ended, lets a new controller reconcile them again, deletes them and returns how they ended.
func (w *world) endOf(names ...string) []ending {
	endings := make([]ending, len(names))
	for i, name := range names {
		endings[i] = ending{name: name, scenario: w.scenarioOf(name), hangs: w.settled(name)}
	}
	w.retire()
	for i, name := range names {
		if endings[i].hangs == nil {
			endings[i].hangs = w.settled(name) // late writes may have stirred it
		}
	}
	writesAgain, err := w.reconcileAgain(names)
	w.failed(err)
	for _, name := range names {
		w.failed(w.remove(name))
	}
	for i, name := range names {
		endings[i].remains = w.gone(name)
	}
	all := w.history.All()
	for i := range endings {
		endings[i].take(all, writesAgain)
	}
	return endings
}

// reconcileAgain has a new controller look at all runs once more, and returns what it wrote.
func (w *world) reconcileAgain(names []string) ([]string, error) {
	fresh, err := w.fresh()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := fresh.reconcile(w.ctx, name); err != nil {
			return nil, err
		}
	}
	return fresh.writes(), nil
}

// take keeps of the history and of the writes what is about the run.
func (e *ending) take(all []history.Entry, writesAgain []string) {
	for _, entry := range all {
		if belongs(entry.Object, e.name) {
			e.history = append(e.history, entry)
		}
	}
	for _, write := range writesAgain {
		if strings.HasPrefix(write, http.MethodPost) || strings.Contains(write, "/"+e.name) {
			e.writesAgain = append(e.writesAgain, write)
		}
	}
}

// jobsOf returns the UIDs of the Jobs that there ever were, by attempt. A Job without an owner counts too.
func (e ending) jobsOf() map[string]map[types.UID]bool {
	jobs := map[string]map[types.UID]bool{}
	for _, entry := range e.history {
		if job, ok := entry.Object.(*batchv1.Job); ok {
			attempt := job.Labels[v1alpha1.LabelAttempt]
			if jobs[attempt] == nil {
				jobs[attempt] = map[types.UID]bool{}
			}
			jobs[attempt][job.UID] = true
		}
	}
	return jobs
}

// versions returns all that the run ever was.
func (e ending) versions() []*v1alpha1.TestRun {
	var versions []*v1alpha1.TestRun
	for _, entry := range e.history {
		if run, ok := entry.Object.(*v1alpha1.TestRun); ok {
			versions = append(versions, run)
		}
	}
	return versions
}

// outcome says in a line how the run ended.
func (e ending) outcome() string {
	versions := e.versions()
	if len(versions) == 0 {
		return "no run"
	}
	run := versions[len(versions)-1]
	if run.Status.Phase != v1alpha1.PhaseFinished {
		return "deleted in phase " + string(run.Status.Phase)
	}
	outcome := fmt.Sprintf("%s %s after %d", run.Status.Verdict, conditions.Reason(run), len(run.Status.Attempts))
	if ptr.Deref(run.Status.Flaky, false) {
		outcome += ", flaky"
	}
	return outcome
}

// check reports each invariant that is broken, with the history.
func (e ending) check(t *testing.T) (broken bool) {
	t.Helper()
	for _, invariant := range invariants {
		if problem := invariant.broken(e); problem != "" {
			t.Errorf("%s (%s) breaks %q: %s", e.name, e.scenario.name, invariant.name, problem)
			broken = true
		}
	}
	if broken {
		var lines strings.Builder
		for _, entry := range e.history {
			fmt.Fprintf(&lines, "\n  %d %-8s %s", entry.Revision, entry.Change, describe(entry.Object))
		}
		t.Logf("what happened:%s", lines.String())
	}
	return broken
}
