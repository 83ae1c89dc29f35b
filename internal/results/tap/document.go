package tap

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/testrun-dev/testrun/internal/results"
)

// version begins a document, unless the current one has no points and no plan yet.
func (r *Reader) version() {
	r.evidence.found = true
	if r.doc.file == "" && (r.levels[0].points > 0 || r.levels[0].plans > 0) {
		r.end()
		r.begin(document{})
	}
	r.doc.versioned, r.doc.commented = true, false
}

// point counts a test point, after everything that belongs to it has been read, its subtest too.
func (r *Reader) point(h *held) {
	r.evidence.ends = false
	if h.depth == 0 {
		r.expect(h)
	}
	inner := r.endSubtest(h.depth)
	number := h.number
	if !h.numbered {
		number = r.levels[h.depth].points + 1
	}
	if h.depth == 0 && h.directive == none && slices.Contains(r.doc.todo, number) {
		h.directive = todo
	}
	failed := h.directive == none && (!h.ok || inner.failed > 0)
	r.levels[h.depth].point(&h.point, failed)
	r.deepest = max(r.deepest, h.depth)
	if !failed {
		r.parts = dropDeeper(r.parts, h.depth)
	}
	if !r.evidence.found {
		r.evidence.point(&h.point, &r.levels[0])
	}
	switch blame := r.blame(h, &inner); {
	case h.depth == 0:
		r.topLevel(h, number, failed, blame)
	case failed:
		r.nested(h, blame)
	}
}

// expect looks at a top-level point before it is counted. After a complete document the point may begin another one: each of
// several tests numbers its points from 1, or has no numbers and its plan at the end.
func (r *Reader) expect(h *held) {
	if r.doc.file != "" {
		r.evidence.found = r.evidence.found || h.numbered
		return
	}
	if top := &r.levels[0]; top.complete() && (h.number == 1 || !h.numbered && top.early > 0) {
		r.endDocument()
		r.startDocument(document{begun: true, headed: r.doc.headed})
	}
}

// blame says why a point failed because of its subtest, unless the subtest has failing points, which say more. If the form of a
// subtest is wrong, for example with two plans, its point decides.
func (r *Reader) blame(h *held, inner *tally) string {
	switch {
	case h.directive != none:
		return ""
	case h.ok && inner.failed > 0:
		return fmt.Sprintf("it says ok, but its subtest is not: %d of %s failed", inner.failed, cases(inner.points))
	case !h.ok && inner.plans > 0 && (len(r.parts) == 0 || r.parts[len(r.parts)-1].depth <= h.depth):
		if defect := inner.defect(); defect != "" {
			return "in its subtest: " + defect
		}
	}
	return ""
}

// endSubtest ends the subtest that belongs to a point, and returns its tally.
func (r *Reader) endSubtest(depth int) (inner tally) {
	if r.deepest > depth {
		inner = r.levels[depth+1]
		clear(r.levels[depth+1 : r.deepest+1])
		r.deepest = depth
	}
	return inner
}

// subtest is what is known of a subtest before its point has come.
type subtest struct {
	levels  [maxDepth + 2]tally
	deepest int
	parts   []failure
}

// takeSubtest sets a subtest aside, and returnSubtest gives it back.
func (r *Reader) takeSubtest(depth int) subtest {
	inner := subtest{r.levels, r.deepest, nil}
	r.endSubtest(depth)
	outer := dropDeeper(r.parts, depth)
	inner.parts = slices.Clone(r.parts[len(outer):])
	r.parts = outer
	return inner
}

func (r *Reader) returnSubtest(depth int, inner subtest) {
	copy(r.levels[depth+1:], inner.levels[depth+1:])
	r.deepest = max(r.deepest, inner.deepest)
	r.parts = append(r.parts, inner.parts...)
}

// topLevel makes a case of a test point.
func (r *Reader) topLevel(h *held, number uint64, failed bool, blame string) {
	c := results.Case{Name: h.description, Suite: r.doc.file, Outcome: results.Passed, Duration: h.duration, Location: h.place.at}
	if c.Name == "" {
		c.Name = "test " + strconv.FormatUint(number, 10)
	}
	switch {
	case h.directive == skip:
		c.Outcome, c.Message = results.Skipped, h.reason
	case h.directive == todo && !h.ok:
		c.Outcome, c.Message = results.Skipped, "TODO"
		if h.reason != "" {
			c.Message += ": " + h.reason
		}
	case failed:
		c.Outcome, c.Message = results.Failed, blame
	}
	var id results.ID
	if failed {
		id = r.queue.add(&result{Case: c, own: h.failure(), parts: r.parts})
	} else {
		id, _ = r.sink.Add(c)
	}
	r.parts = nil
	r.doc.timing.add(id, h, r.levels[0].early)
}

// failure returns what is known about why the point failed.
func (h *held) failure() failure {
	return failure{level: h.depth, depth: h.depth, name: h.description, said: h.said, guessed: h.came == unindentedText, at: h.place.at}
}

// nested keeps a failing point of a subtest for the case that it will belong to.
func (r *Reader) nested(h *held, blame string) {
	part := h.failure()
	part.path = h.description
	if part.path == "" {
		part.path = "test"
		if h.numbered {
			part.path += " " + strconv.FormatUint(h.number, 10)
		}
	}
	for i := range r.parts {
		if inner := &r.parts[i]; inner.depth > h.depth {
			inner.depth, part.outer = h.depth, true
			inner.path = clip(part.path + " / " + inner.path)
		}
	}
	if len(r.parts) == maxParts {
		return
	}
	if blame != "" {
		part.said = nil
		part.said.add([]byte(join(blame, h.said.String())))
	}
	r.parts = append(r.parts, part)
}

func dropDeeper(parts []failure, depth int) []failure {
	for i := range parts {
		if parts[i].depth > depth {
			return parts[:i] // deeper points come later in the list
		}
	}
	return parts
}

func (r *Reader) plan(p *plan, depth int) {
	if depth > maxDepth {
		return
	}
	r.deepest = max(r.deepest, depth)
	if depth > 0 {
		r.levels[depth].plan(p.count)
		return
	}
	top := &r.levels[0]
	if r.doc.file == "" && top.complete() {
		r.end()
		r.begin(document{})
	}
	top.plan(p.count)
	r.doc.todo, r.doc.commented = p.todo, false
	r.evidence.plan(p, top)
	r.evidence.found = r.evidence.found || r.doc.file != ""
	if p.count == 0 && top.points == 0 && top.plans == 1 {
		r.skipAll(p.reason)
	}
}

// skipAll adds a case for a document that skips all of its tests.
func (r *Reader) skipAll(reason string) {
	name := r.doc.file
	if name == "" {
		name = "all tests"
	}
	r.sink.Add(results.Case{Name: name, Outcome: results.Skipped, Message: reason})
}

func (r *Reader) bailOut(reason string) {
	r.settle(0)
	r.evidence.found = r.evidence.found || r.levels[0].plans > 0 || r.levels[0].points > 0 || r.doc.file != ""
	r.gaveUp = true
	r.sink.Note(results.BailedOut, reason)
	r.doc.bailed = true
	r.finish()
}

// begin starts a document and forgets the subtests of the last one.
func (r *Reader) begin(doc document) {
	clear(r.levels[:])
	r.deepest, r.parts = 0, nil
	r.startDocument(doc)
}

func (r *Reader) startDocument(doc document) {
	doc.period = r.tail.period
	r.doc = doc
	r.levels[0] = tally{}
}

// finish ignores the rest of the document.
func (r *Reader) finish() {
	if !r.doc.over {
		r.doc.over = true
		r.tail.period++
	}
}

// end ends a document and counts its points that are still held.
func (r *Reader) end() {
	r.settle(0)
	r.endDocument()
}

// endDocument notes whether the document's plan was reached, and what prove said of it.
func (r *Reader) endDocument() {
	r.finish()
	r.doc.timing.close(r.sink)
	defect := ""
	if top := &r.levels[0]; top.points > 0 || top.plans > 0 || r.doc.versioned {
		defect = top.defect()
	}
	if defect != "" {
		if r.doc.file != "" {
			r.sink.Note(results.PlanNotReached, r.doc.file+": "+defect)
		} else {
			r.sink.Note(results.PlanNotReached, join(defect, r.tail.between(r.doc.period, r.tail.period)))
		}
	}
	r.judge(defect)
}
