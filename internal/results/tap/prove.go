package tap

import (
	"bytes"
	"slices"
	"strings"

	"github.com/testrun-dev/testrun/internal/results"
)

// verdict is what prove says about a file after its TAP, if that is not "ok".
type verdict struct {
	said string
	// exit is the exit code of the file; 0 if prove said nothing of it.
	exit uint64
}

// prove reads a line that prove itself may have printed, and says whether it did.
func (r *Reader) prove(line []byte) bool {
	if reason, ok := bytes.CutPrefix(line, []byte("Bailout called.  Further testing stopped:")); ok {
		r.gaveUp = true
		r.sink.Note(results.BailedOut, clip(string(bytes.TrimSpace(reason))))
		return true
	}
	if string(line) == "Result: NOTESTS" {
		r.evidence.found = true // prove found no file to run: this is TAP without a case
		return true
	}
	if r.mayBegin() {
		if h, ok := parseHeader(line); ok && (r.doc.file != "" || h.isPath()) {
			r.header(&h)
			return true
		}
	}
	if r.doc.file == "" || r.summarized {
		return false
	}
	if r.doc.over && (string(line) == "Test Summary Report" || bytes.HasPrefix(line, []byte("Result: "))) {
		r.summarized = true
		return true
	}
	return r.hear(trimRight(line))
}

// mayBegin says whether a file may begin here: at the start, and when prove is done with the one before.
func (r *Reader) mayBegin() bool {
	if r.doc.file != "" {
		return r.doc.over && !r.summarized
	}
	return !r.doc.begun && r.levels[0].plans == 0 && !r.doc.over
}

func (r *Reader) header(h *header) {
	if r.doc.file != "" {
		r.end()
	}
	r.begin(document{file: clip(string(h.file)), timed: h.timed})
	reason, skipped := bytes.CutPrefix(h.rest, []byte("skipped"))
	switch {
	case skipped:
		r.evidence.found = true
		r.skipAll(clip(string(bytes.TrimLeft(reason, ": "))))
		r.finish()
	case len(h.rest) > 0:
		r.sink.Add(results.Case{Name: r.doc.file, Outcome: results.Passed})
		r.finish()
	}
}

// hear reads what prove says after the TAP of a file.
func (r *Reader) hear(line []byte) bool {
	switch {
	case isFine(line, r.doc.timed):
		r.settle(0)
		if !r.doc.over && !r.gaveUp && !r.levels[0].complete() {
			return false // a bare "ok" is a test point here: prove would have complained
		}
	case isDubious(line):
		n := line[len(dubious):]
		r.doc.verdict = verdict{said: string(line), exit: parseNumber(n[:digits(n)])}
		r.evidence.found = true
	case isCount(line):
		if r.doc.verdict.said == "" {
			r.doc.verdict.said = string(line)
		}
		r.evidence.found = true
	default:
		return false
	}
	r.settle(0)
	r.finish()
	return true
}

// judge adds a case for a file that failed by the word of prove, if nothing else says why.
func (r *Reader) judge(defect string) {
	v := r.doc.verdict
	failed := r.levels[0].failed
	switch {
	case v.said == "" || r.gaveUp:
		return
	case failed > 0 && (v.exit == 0 || v.exit == failed):
		return // these points say it; Test::More exits with their number
	case defect == "" && strings.HasPrefix(v.said, "All "):
		v.said += ", but prove does not call it ok: it was killed, or printed TAP that prove does not accept"
	}
	r.queue.add(&result{
		Case:   results.Case{Name: r.doc.file, Outcome: results.Errored, Message: join(v.said, defect)},
		died:   r.doc.file,
		period: r.doc.period,
		words:  r.tail.about(r.doc.file, r.doc.period),
	})
}

// header is what prove prints of a file before its TAP, like "t/basic.t .. " or "[06:15:22] t/basic.t ... skipped: no network".
type header struct {
	file, rest []byte
	timed      bool
}

func parseHeader(line []byte) (header, bool) {
	var h header
	const stamp = "[00:00:00] "
	if len(line) > len(stamp) && line[0] == '[' && line[3] == ':' && line[6] == ':' && line[9] == ']' {
		line, h.timed = line[len(stamp):], true
	}
	i := bytes.Index(line, []byte(" .."))
	if i <= 0 || isBlank(line[0]) {
		return h, false
	}
	rest := bytes.TrimLeft(line[i+1:], ".")
	if len(rest) > 0 && rest[0] != ' ' {
		return h, false
	}
	h.file, h.rest = line[:i], bytes.TrimSpace(rest)
	return h, len(h.rest) == 0 || isFine(h.rest, h.timed) ||
		string(h.rest) == "skipped" || bytes.HasPrefix(h.rest, []byte("skipped: "))
}

// isPath says whether the header names a file for sure. Many programs print "loading ... ".
func (h *header) isPath() bool {
	return bytes.ContainsAny(h.file, "./") && !bytes.ContainsAny(h.file, blanks) && slices.ContainsFunc(h.file, isLetter)
}

func isLetter(c byte) bool { return c != '_' && beginsWord([]byte{c}) }

// isFine says whether a line is the "ok" of prove. A time may follow.
func isFine(line []byte, timed bool) bool {
	rest, ok := bytes.CutPrefix(line, []byte("ok"))
	if !ok || len(rest) == 0 || !timed {
		return ok && len(rest) == 0
	}
	ms := trimLeft(rest)
	n := digits(ms)
	return len(rest)-len(ms) > 1 && n > 0 && bytes.HasPrefix(ms[n:], []byte(" ms"))
}

const dubious = "Dubious, test returned "

func isDubious(line []byte) bool {
	code, ok := bytes.CutPrefix(line, []byte(dubious))
	n := digits(code)
	return ok && n > 0 && bytes.HasPrefix(code[n:], []byte(" (wstat "))
}

// isCount recognizes "No subtests run", "Failed 1/3 subtests" and "All 3 subtests passed".
func isCount(line []byte) bool {
	if string(line) == "No subtests run" {
		return true
	}
	if rest, ok := bytes.CutPrefix(line, []byte("All ")); ok {
		n := digits(rest)
		return n > 0 && string(rest[n:]) == " subtests passed"
	}
	rest, ok := bytes.CutPrefix(line, []byte("Failed "))
	n := digits(rest)
	if !ok || n == 0 || n == len(rest) || rest[n] != '/' {
		return false
	}
	rest = rest[n+1:]
	n = digits(rest)
	return n > 0 && string(rest[n:]) == " subtests"
}
