package tap

// evidence says whether a stream is TAP at all. Programs print lines like "ok 1 file was copied", and "1..10" too. So it takes
// a version line, a plan that points agree with, or a plan behind which nothing comes.
type evidence struct {
	found bool
	// mixed means that other text came before the plan. ends means that the last line, comments aside, was a plan.
	mixed, ends bool
}

func (e *evidence) foreign() { e.mixed, e.ends = true, false }

// point weighs a point of a document that has no version, together with what came before.
func (e *evidence) point(p *point, top *tally) {
	e.ends = false
	canonical := p.numbered || p.dashed
	switch {
	case top.complete():
		e.found = true
	case top.plans > 0:
		// A test that dies does not reach its plan.
		e.found = e.found || canonical || !e.mixed
	default:
		// Without a plan an exit code of 0 shall still hide no failure, if there is little doubt.
		e.found = e.found || top.inTurn && top.points > 1 && top.failed > 0
	}
}

// plan weighs a plan once it is counted.
func (e *evidence) plan(p *plan, top *tally) {
	e.ends = p.count > 0
	e.found = e.found || p.count == 0 && p.skip || p.count > 0 && top.complete()
}

// close ends the stream.
func (e *evidence) close() { e.found = e.found || e.ends }
