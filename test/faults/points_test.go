package faults

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestEveryRunKeepsItsPromises tries each scenario once with nothing going wrong, and then once for each point and fault.
// A point can be tried alone: -points=all -run 'TestEveryRunKeepsItsPromises/passing/killed_before_write_2$'.
func TestEveryRunKeepsItsPromises(t *testing.T) {
	for i, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			reference := &ordeal{scenario: s}
			if !t.Run("nothing goes wrong", reference.run) {
				t.Fatal("the scenario itself does not work")
			}
			for _, strike := range reference.points(i) {
				t.Run(strike.String(), func(t *testing.T) {
					t.Parallel()
					(&ordeal{scenario: s, strike: strike}).run(t)
				})
			}
		})
	}
}

func (s *strike) String() string {
	return fmt.Sprintf("%s %s %d", s.fault.name, s.fault.at, s.number)
}

// ordeal is one execution of a scenario.
type ordeal struct {
	scenario *scenario
	// strike is what goes wrong; nil if nothing does.
	strike *strike
	// reads, writes and events are how many there were for the first controller.
	reads, writes, events int
}

// points are the places of an ordeal, each with a fault that may strike there: all of them, or a sample that depends on the
// number of the scenario and has, over all scenarios, each fault.
func (o *ordeal) points(scenario int) []*strike {
	const scenariosPerFault = 4
	var strikes []*strike
	counts := map[place]int{atRead: o.reads, atWrite: o.writes, atEvent: o.events}
	for i, fault := range faults {
		for number := range counts[fault.at] {
			sampled := (scenario+i)%scenariosPerFault == 0 && number == (7*scenario+i)%counts[fault.at]
			if *points == "all" || sampled {
				strikes = append(strikes, &strike{fault: fault, number: number + 1})
			}
		}
	}
	return strikes
}

const runName = "run"

// run executes the scenario and holds what happened against the invariants.
func (o *ordeal) run(t *testing.T) {
	t.Helper()
	w := newWorld(t, o.misfortune)
	first := w.join("")
	if first == nil {
		t.Fatal(w.err())
	}
	if err := w.begin(runName, o.scenario); err != nil {
		t.Fatal(err)
	}
	end := w.endOf(runName)[0]
	if err := w.err(); err != nil {
		t.Error(err)
	}
	o.reads, o.writes, o.events = int(first.reads.Load()), len(first.writes()), first.gate.count
	broken := end.check(t)
	if o.strike != nil {
		tried.note(o.scenario, o.strike, broken)
	} else if end.outcome() != o.scenario.ends {
		t.Errorf("it ends as %q, expected %q", end.outcome(), o.scenario.ends)
	}
}

// misfortune strikes the first controller, and nobody else.
func (o *ordeal) misfortune(number int) []*strike {
	if number > 1 || o.strike == nil {
		return nil
	}
	return []*strike{o.strike}
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
	history := w.history.all()
	for i := range endings {
		endings[i].take(history, writesAgain)
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
func (e *ending) take(history []entry, writesAgain []string) {
	for _, entry := range history {
		if belongs(entry.object, e.name) {
			e.history = append(e.history, entry)
		}
	}
	for _, write := range writesAgain {
		if strings.HasPrefix(write, http.MethodPost) || strings.Contains(write, "/"+e.name) {
			e.writesAgain = append(e.writesAgain, write)
		}
	}
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
			fmt.Fprintf(&lines, "\n  %d %-8s %s", entry.revision, entry.change, describe(entry.object))
		}
		t.Logf("what happened:%s", lines.String())
	}
	return broken
}
