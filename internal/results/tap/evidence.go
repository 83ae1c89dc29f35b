package tap

// evidence says whether a stream is TAP at all. Other programs print lines like "ok 1 file was copied" or "1..10" too. So a stream
// needs a version line, a plan that fits the points, or a plan at its end.
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
		// A test without a plan may exit with 0 after a failure. It counts as TAP if there is little doubt.
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
