package faults

import (
	"fmt"
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
	names := []string{runName}
	if o.scenario.rival {
		names = append(names, rivalOf(runName))
	}
	ends := w.endOf(names...)
	end := ends[0]
	if err := w.err(); err != nil {
		t.Error(err)
	}
	o.reads, o.writes, o.events = int(first.reads.Load()), len(first.writes()), first.gate.count
	broken := false
	for _, end := range ends {
		broken = end.check(t) || broken
	}
	if problem := neverBesideItsRival(ends...); problem != "" && !(o.strike != nil && o.strike.fault.mayExceed) {
		t.Errorf("more runs run than the concurrency key allows: %s", problem)
		broken = true
	}
	if o.strike != nil {
		tried.note(o.scenario, o.strike, broken)
	} else if end.outcome() != o.scenario.ends {
		t.Logf("on this busy machine it ends as %q, and elsewhere as %q", end.outcome(), o.scenario.ends)
	}
}

// misfortune strikes the first controller, and nobody else.
func (o *ordeal) misfortune(number int) []*strike {
	if number > 1 || o.strike == nil {
		return nil
	}
	return []*strike{o.strike}
}
