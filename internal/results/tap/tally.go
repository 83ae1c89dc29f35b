package tap

import "fmt"

// tally counts the test points of a document or a subtest, and compares them with the plan.
type tally struct {
	points, failed uint64
	// planned is what the last plan said. early is how many points came before it.
	planned, early uint64
	plans          int
	// versioned means that a version line announces a document, which has a plan even if it has nothing else.
	versioned bool
	// numbers and wanted are the sums over a hash of the numbers that came, and of 1 to points: equal if each of these came
	// once, in whatever order.
	numbers, wanted uint64
	// odd is the first number that came out of turn, and due the one that was expected; due is 0 if there is none.
	odd, due uint64
}

func (t *tally) point(p *point) {
	t.points++
	number := t.points
	if p.numbered {
		number = p.number
	}
	t.numbers += hash(number)
	t.wanted += hash(t.points)
	if number != t.points && t.due == 0 {
		t.odd, t.due = number, t.points
	}
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
	case t.plans == 0 && (t.points > 0 || t.versioned):
		return fmt.Sprintf("no plan was seen: the test ended after %s without saying how many there are", cases(t.points))
	case t.plans == 0:
		return ""
	case t.plans > 1:
		return fmt.Sprintf("%d plans were seen, the last one for %s, and there were %d", t.plans, cases(t.planned), t.points)
	case t.points != t.planned:
		return fmt.Sprintf("planned %s, ran %d", cases(t.planned), t.points)
	case t.early > 0 && t.early < t.points:
		return fmt.Sprintf("the plan came in the middle, after %d of %s", t.early, cases(t.points))
	case t.numbers != t.wanted:
		return fmt.Sprintf("the cases are not numbered 1 to %d, each once: %d came where %d was due", t.points, t.odd, t.due)
	}
	return ""
}

// flaw says why a subtest did not pass; empty if it did. A subtest without a plan may be anything that a program has printed
// with an indentation, and is judged by its points alone.
func (t *tally) flaw() string {
	switch {
	case t.failed > 0:
		return fmt.Sprintf("%d of %s failed", t.failed, cases(t.points))
	case t.plans > 0:
		return t.defect()
	}
	return ""
}

func cases(n uint64) string {
	if n == 1 {
		return "1 case"
	}
	return fmt.Sprintf("%d cases", n)
}

// hash is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014): it spreads numbers so that different sets of them have
// different sums.
func hash(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}
