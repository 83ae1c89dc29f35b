package tap

import (
	"strconv"

	"github.com/testrun-dev/testrun/internal/results"
)

// version begins a document, unless the version is the first that is said of one.
func (r *Reader) version() {
	r.recognized = true
	if r.doc.file == "" && (r.levels[0].points > 0 || r.levels[0].plans > 0) {
		r.end()
		r.begin(document{})
	}
	r.levels[0].versioned = true
}

func (r *Reader) point(p *point, depth int) {
	r.settle()
	if depth == 0 {
		r.expect(p)
	}
	flaw := r.endSubtest(depth)
	failed := p.directive == none && (!p.ok || flaw != "")
	r.levels[depth].point(p)
	r.deepest = max(r.deepest, depth)
	if failed {
		r.levels[depth].failed++
	} else {
		r.parts = dropDeeper(r.parts, depth)
	}
	said := r.blame(p, depth, flaw)
	switch {
	case depth == 0:
		r.topLevel(p, failed, said)
	case failed:
		r.nested(p, depth, said)
	}
}

// expect looks at a top-level point before it is counted: tests that run one after the other number theirs from 1 each.
func (r *Reader) expect(p *point) {
	first := p.number == 1
	r.recognized = r.recognized || first || p.numbered && r.doc.file != ""
	if first && r.doc.file == "" && r.levels[0].complete() {
		r.end()
		r.begin(document{})
	}
}

// blame says what a point owes to its subtest, unless that has failing points which tell more.
func (r *Reader) blame(p *point, depth int, flaw string) string {
	switch {
	case flaw == "" || p.directive != none:
		return ""
	case p.ok:
		return "it says ok, but its subtest is not: " + flaw
	case len(r.parts) == 0 || r.parts[len(r.parts)-1].depth <= depth:
		return "in its subtest: " + flaw
	}
	return ""
}

// endSubtest ends the subtest that belongs to a point, and says what is wrong with it.
func (r *Reader) endSubtest(depth int) (flaw string) {
	if r.deepest > depth {
		flaw = r.levels[depth+1].flaw()
		clear(r.levels[depth+1 : r.deepest+1])
		r.deepest = depth
	}
	return flaw
}

// topLevel makes a case of a test point.
func (r *Reader) topLevel(p *point, failed bool, said string) {
	c := results.Case{Name: p.description, Suite: r.doc.file, Outcome: results.Passed, Duration: p.duration}
	if c.Name == "" {
		c.Name = "test " + strconv.FormatUint(r.numberOf(p), 10)
	}
	switch {
	case p.directive == skip:
		c.Outcome, c.Message = results.Skipped, p.reason
	case p.directive == todo && !p.ok:
		c.Outcome, c.Message = results.Skipped, "TODO"
		if p.reason != "" {
			c.Message += ": " + p.reason
		}
	case failed:
		c.Outcome, c.Message = results.Failed, said
	}
	r.open = result{Case: c, own: failure{name: p.description}, parts: r.parts}
	r.isOpen = true
	r.parts = nil
	if failed {
		r.about = &r.open.own
	}
}

func (r *Reader) numberOf(p *point) uint64 {
	if p.numbered {
		return p.number
	}
	return r.levels[0].points
}

// nested keeps a failing point of a subtest for the case that it will belong to.
func (r *Reader) nested(p *point, depth int, said string) {
	name := p.description
	if name == "" {
		name = "test"
		if p.numbered {
			name += " " + strconv.FormatUint(p.number, 10)
		}
	}
	leaf := true
	for i := range r.parts {
		if part := &r.parts[i]; part.depth > depth {
			part.depth, leaf = depth, false
			part.path = clip(name + " / " + part.path)
		}
	}
	if len(r.parts) == maxParts {
		return
	}
	r.parts = append(r.parts, failure{level: depth, depth: depth, name: p.description, path: name, outer: !leaf})
	r.about = &r.parts[len(r.parts)-1]
	if said != "" {
		r.about.said.add([]byte(said))
	}
}

func dropDeeper(parts []failure, depth int) []failure {
	for i := range parts {
		if parts[i].depth > depth {
			return parts[:i] // what is deeper came later
		}
	}
	return parts
}

func (r *Reader) plan(p plan, depth int) {
	r.settle()
	if depth > maxDepth {
		return
	}
	r.deepest = max(r.deepest, depth)
	if depth > 0 {
		r.levels[depth].plan(p.count)
		return
	}
	r.recognized = r.recognized || p.count == 0 && p.skip || r.doc.file != ""
	if r.doc.file == "" && r.levels[0].complete() {
		r.end()
		r.begin(document{})
	}
	r.levels[0].plan(p.count)
	if p.count == 0 && r.levels[0].points == 0 && r.levels[0].plans == 1 {
		r.skipAll(p.reason)
	}
}

// skipAll adds a case for a document that runs none.
func (r *Reader) skipAll(reason string) {
	name := r.doc.file
	if name == "" {
		name = "all tests"
	}
	r.sink.Add(results.Case{Name: name, Outcome: results.Skipped, Message: reason})
}

func (r *Reader) bailOut(reason string) {
	r.settle()
	r.recognized = r.recognized || r.levels[0].plans > 0 || r.doc.file != ""
	r.gaveUp = true
	r.sink.Note(results.BailedOut, reason)
	r.doc.bailed = true
	r.finish()
}

func (r *Reader) begin(doc document) {
	doc.period = r.tail.period
	r.doc = doc
	clear(r.levels[:])
	r.deepest, r.parts = 0, nil
}

// finish makes what else the document says count for nothing.
func (r *Reader) finish() {
	if !r.doc.over {
		r.doc.over = true
		r.tail.period++
	}
}

// end ends a document: it notes whether its plan was reached, and what prove said of it.
func (r *Reader) end() {
	r.settle()
	r.finish()
	defect := r.levels[0].defect()
	if defect != "" {
		if r.doc.file != "" {
			r.sink.Note(results.PlanNotReached, r.doc.file+": "+defect)
		} else {
			r.sink.Note(results.PlanNotReached, join(defect, r.tail.between(r.doc.period, r.tail.period)))
		}
	}
	r.judge(defect)
}

// settle hands on the case that was seen last: nothing more will be said about it on the standard output.
func (r *Reader) settle() {
	if r.isOpen {
		r.queue.add(&r.open)
		r.isOpen = false
	}
	r.about = nil
	r.yaml = noYAML
}
