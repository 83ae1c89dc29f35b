package tap

import (
	"bytes"
	"time"
)

// maxDoubted is how many bytes are kept while it is open whether they are YAML or TAP.
const maxDoubted = 16 << 10

// readYAML says whether a line belongs to the block of YAML that is open. The block ends with "..." at its own indentation. Vitest
// writes text with line feeds into it, so lines with less indentation belong to it too. If such lines look like TAP, they are YAML
// only if the block has an end.
func (r *Reader) readYAML(line []byte, indent int, s *statement) bool {
	h := &r.last
	switch {
	case indent == h.yaml && string(trimRight(line[indent:])) == "...":
		h.came = theLast
		return true
	case !s.isSure() || indent >= h.yaml && h.yaml > h.indent:
		h.readYAML(line, indent)
		return true
	case r.trusting || h.yaml == h.indent:
		h.came = theLast
		return false
	}
	r.doubted = append(append(r.doubted, line...), '\n')
	return true
}

// doubts says whether a line is one of those that wait for the end of YAML.
func (r *Reader) doubts(line []byte, indent int) bool {
	h := &r.last
	text := trimRight(line[indent:])
	switch {
	case indent == h.yaml && string(text) == "...":
		for line := range bytes.Lines(r.doubted) {
			line = bytes.TrimSuffix(line, []byte("\n"))
			h.readYAML(line, len(line)-len(trimLeft(line)))
		}
		r.doubted, h.came = nil, theLast
		return true
	case indent == h.yaml && string(text) == "---", len(r.doubted)+len(line) > maxDoubted:
		// The next block begins, or too much has come: this one was never closed.
		r.resolve()
		return false
	}
	r.doubted = append(append(r.doubted, line...), '\n')
	return true
}

// resolve reads the doubted lines as TAP.
func (r *Reader) resolve() {
	lines := r.doubted
	if lines == nil {
		return
	}
	r.doubted, r.trusting, r.last.came = nil, true, theLast
	plain := r.plain // may hold the line that is read
	r.plain = nil
	for line := range bytes.Lines(lines) {
		r.line(bytes.TrimSuffix(line, []byte("\n")))
	}
	r.plain = plain
}

// readYAML reads a line that is a part of the block.
func (h *held) readYAML(line []byte, indent int) {
	text := trimRight(line[indent:])
	first := h.margin < 0 && len(text) > 0
	if d, ok := duration(text); ok && (first || indent == h.margin) {
		h.margin, h.duration = indent, d
		return
	}
	if first || indent >= h.margin {
		h.place.yaml(text, !first && indent > h.margin)
	}
	h.hear(line, indent)
}

// duration reads a line of YAML that says how long the case took. What cannot be is read as no time.
func duration(text []byte) (time.Duration, bool) {
	value, ok := bytes.CutPrefix(text, []byte("duration_ms:"))
	if !ok {
		return 0, false
	}
	d, _ := parseNumberOf(time.Millisecond, bytes.Trim(value, ` '"`))
	return d, true
}
