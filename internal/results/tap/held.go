package tap

// held is a test point that is not counted yet, because more may belong to it: YAML, comments, the text of an error, or a subtest
// in braces.
type held struct {
	point
	depth, indent int
	// said is the text so far that says why the point failed. came is the kind of text that came last.
	said  excerpt
	came  came
	place place
	// margin is the indentation of the YAML or text, -1 before its first line. yaml is the indentation of the "---".
	margin, yaml int
	// brace is what parsePoint took from the end of the line. It is a part of the name if no subtest in braces follows.
	brace string
}

// came says what came last after a test point.
type came int

const (
	// pointItself means that nothing has come yet.
	pointItself came = iota
	// yamlBegun means that a block of YAML is open.
	yamlBegun
	// indentedText is what mocha prints of an error. unindentedText is what others print of one.
	indentedText
	unindentedText
	// aComment is a comment that says why the point failed.
	aComment
	// aGap is what separates the point from a comment that follows.
	aGap
	// theLast means that only a subtest in braces may follow.
	theLast
)

// fails says whether the point needs an explanation.
func (h *held) fails() bool { return !h.ok && h.directive == none }

// hold takes a test point. It is counted when everything that belongs to it has come.
func (r *Reader) hold(p *point, depth, indent int) {
	r.last = held{point: *p, depth: depth, indent: indent}
	r.isHeld = true
	if !r.doc.begun {
		r.doc.begun, r.doc.headed = true, r.doc.commented
	}
	if p.braced {
		r.last.brace = " {"
	}
}

// settle counts the point that is held, and the points in braces that end before a statement at this depth.
func (r *Reader) settle(depth int) {
	r.release()
	for n := len(r.open); n > 0 && r.open[n-1].depth >= depth; n-- {
		r.reopen()
		r.release()
	}
}

// settleBefore settles what comes before a point. If a brace is still open at the same depth, the brace was only the end of a name.
// Then what looked like its subtest is the subtest of this point.
func (r *Reader) settleBefore(depth int) {
	r.settle(depth + 1)
	if n := len(r.open); n > 0 && r.open[n-1].depth == depth {
		inner := r.takeSubtest(depth)
		r.settle(depth)
		r.returnSubtest(depth, inner)
	}
}

func (r *Reader) release() {
	if r.isHeld {
		r.isHeld = false
		r.last.endLine()
		r.point(&r.last)
	}
}

// reopen holds the innermost point in braces again, after its subtest.
func (r *Reader) reopen() {
	n := len(r.open) - 1
	r.last, r.isHeld = r.open[n], true
	r.open = r.open[:n]
}

// endLine makes the brace a part of the line again, if no subtest followed it.
func (h *held) endLine() {
	if h.directive == none {
		h.description += h.brace
	} else {
		h.reason += h.brace
	}
	h.braced, h.brace = false, ""
}

// closes says whether a line is the brace that closes a subtest.
func (r *Reader) closes(text []byte, indent int) bool {
	n := len(r.open)
	if n == 0 || string(text) != "}" || indent != r.open[n-1].indent {
		return false
	}
	r.release()
	r.reopen()
	r.last.brace, r.last.came = "", theLast
	return true
}

// holds says whether a line belongs to the point that is held.
func (r *Reader) holds(line []byte, indent int, s *statement) bool {
	h := &r.last
	text := line[indent:]
	switch {
	case h.came == indentedText && h.goesOn(text, indent):
		h.hear(line, indent)
		return true
	case h.braced && len(text) > 0 && r.opens(text, indent):
		r.open = append(r.open, *h)
		r.isHeld = false
		return r.closes(text, indent)
	case len(text) == 0:
		h.separate()
		return true
	case text[0] == '#':
		h.comment(text, indent, r.doc.headed)
		return false
	}
	return s.kind == nothing && h.begins(line, indent)
}

// begins says whether a line that is not TAP begins something that belongs to the point.
func (h *held) begins(line []byte, indent int) bool {
	text := line[indent:]
	switch {
	case string(text) == "---" && (indent > h.indent || indent == h.indent && h.came == pointItself):
		h.came, h.margin, h.yaml = yamlBegun, -1, indent
	case string(text) == "{" && indent == h.indent:
		h.braced = true
	case h.fails() && (h.came == pointItself || h.came == unindentedText):
		h.readText(line, indent)
	default:
		h.separate()
		return false
	}
	return true
}

// opens says whether a line begins the subtest in braces. If not, the point has no such subtest.
func (r *Reader) opens(text []byte, indent int) bool {
	h := &r.last
	deeper := indent >= h.indent+indentation && string(text) != "---"
	if deeper || string(text) == "}" && indent == h.indent {
		h.braced = false
		return true
	}
	h.endLine()
	return false
}

// separate marks a gap after the point: a comment behind the gap may belong to the next point.
func (h *held) separate() {
	if h.came != theLast {
		h.came = aGap
	}
}

// readText reads the text of an error directly after a failing point. Mocha indents it, but less than a subtest.
func (h *held) readText(line []byte, indent int) {
	if h.came == pointItself {
		h.came, h.margin = unindentedText, -1
		if indent > h.indent && indent < h.indent+indentation {
			h.came = indentedText
		}
	}
	h.hear(line, indent)
}

// goesOn says whether a line continues the indented text.
func (h *held) goesOn(text []byte, indent int) bool {
	return len(text) == 0 || indent > h.indent && (text[0] != '#' || !isSubtest(commentText(text)))
}

// hear keeps a line, without the indentation of the first line.
func (h *held) hear(line []byte, indent int) {
	if h.margin < 0 && indent < len(line) {
		h.margin = indent
	}
	if h.fails() {
		h.said.add(line[min(max(0, h.margin), indent):])
	}
}
