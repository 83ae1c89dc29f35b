package tap

import "fmt"

// tally counts the test points of a document or a subtest, and compares them with the plan.
type tally struct {
	points, failed uint64
	// planned is what the last plan said. early is how many points came before it.
	planned, early uint64
	plans          int
	// inTurn means that all points are numbered, from 1 on and in turn.
	inTurn bool
}

// point counts a test point. Numbers do not matter: they should be unique, and many producers' are not.
func (t *tally) point(p *point, failed bool) {
	t.points++
	if failed {
		t.failed++
	}
	t.inTurn = (t.inTurn || t.points == 1) && p.numbered && p.number == t.points
}

func (t *tally) plan(count uint64) {
	t.plans++
	t.planned, t.early = count, t.points
}

// complete says whether all is there that was planned.
func (t *tally) complete() bool { return t.plans == 1 && t.points == t.planned }

// defect says in which way the points are not the planned ones; empty if they are.
func (t *tally) defect() string {
	switch {
	case t.plans == 0:
		return fmt.Sprintf("no plan was seen: the test ended after %s without saying how many there are", cases(t.points))
	case t.plans > 1:
		return fmt.Sprintf("%d plans were seen, the last one for %s, and there were %d", t.plans, cases(t.planned), t.points)
	case t.points != t.planned:
		return fmt.Sprintf("planned %s, ran %d", cases(t.planned), t.points)
	case t.early > 0 && t.early < t.points:
		return fmt.Sprintf("the plan came in the middle, after %d of %s", t.early, cases(t.points))
	}
	return ""
}

func cases(n uint64) string {
	if n == 1 {
		return "1 case"
	}
	return fmt.Sprintf("%d cases", n)
}
