package tap

// held is a test point while more may come that belongs to it: YAML, comments, an error's text, or a subtest in braces.
type held struct {
	point
	depth, indent int
	// said is what came that says why the point failed, and came is the kind of it that came last.
	said  excerpt
	came  came
	place place
	// margin is the indentation of YAML or text that is read, -1 as long as no line of it was seen; yaml is that of the "---".
	margin, yaml int
	// brace is what parsePoint took from the end of the line. It is a part of the name if no subtest in braces follows.
	brace string
}

// came says what came last behind a test point.
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
	// theLast means that nothing more is expected than a subtest in braces.
	theLast
)

// fails says whether the point needs an explanation.
func (h *held) fails() bool { return !h.ok && h.directive == none }

// hold takes a test point. What it counts for is decided when all that belongs to it has come.
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

// settle hands on the point that is held, and those in braces that a statement at a depth is not a part of.
func (r *Reader) settle(depth int) {
	r.release()
	for n := len(r.open); n > 0 && r.open[n-1].depth >= depth; n-- {
		r.reopen()
		r.release()
	}
}

// settleBefore settles what stands before a point. Where that is the next one behind a brace that was never closed, the brace was
// the end of a name, and what looked like its subtest is the subtest of this point.
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

// reopen takes the innermost point in braces back, behind its subtest.
func (r *Reader) reopen() {
	n := len(r.open) - 1
	r.last, r.isHeld = r.open[n], true
	r.open = r.open[:n]
}

// endLine gives the line of the point back the brace behind which no subtest came.
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

// begins says whether a line that is no TAP by itself begins something that belongs to the point.
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

// opens says whether a subtest in braces begins with a line. If it does not, there is none.
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

// separate ends what was said behind the point, unless that is known to be more than a line.
func (h *held) separate() {
	if h.came != theLast {
		h.came = aGap
	}
}

// readText takes the text of an error that stands right behind a failing point. Mocha indents it, by less than a subtest.
func (h *held) readText(line []byte, indent int) {
	if h.came == pointItself {
		h.came, h.margin = unindentedText, -1
		if indent > h.indent && indent < h.indent+indentation {
			h.came = indentedText
		}
	}
	h.hear(line, indent)
}

// goesOn says whether indented text goes on with a line.
func (h *held) goesOn(text []byte, indent int) bool {
	return len(text) == 0 || indent > h.indent && (text[0] != '#' || !isSubtest(commentText(text)))
}

// hear keeps a line without the indentation that the first one had.
func (h *held) hear(line []byte, indent int) {
	if h.margin < 0 && indent < len(line) {
		h.margin = indent
	}
	if h.fails() {
		h.said.add(line[min(max(0, h.margin), indent):])
	}
}
