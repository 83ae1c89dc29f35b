// Package tap reads the Test Anything Protocol, versions 12 to 14 (https://testanything.org), and what `prove -v`, the harness
// of Perl, makes of several such streams. It reads in constant memory, and counts as the harnesses do: test points at the top
// level are the cases, and a subtest is a part of the test point behind it.
package tap

import (
	"bytes"
	"io"

	"github.com/testrun-dev/testrun/internal/results"
)

const (
	// indentation is by how many spaces a subtest is indented more than the test point it belongs to.
	indentation = 4
	// maxDepth is how many levels of subtests are told apart. Failing points below count for the last of them.
	maxDepth = 8
)

// Reader reads one or more TAP documents from what a test prints.
type Reader struct {
	sink           *results.Summary
	stdout, stderr results.Lines
	recognized     bool

	doc document
	// levels are the tallies of the document and of the subtests that are open, the outermost first. The last one stands for
	// all that is deeper. deepest is the last that is in use.
	levels  [maxDepth + 2]tally
	deepest int
	// parts are the failing points of the subtests that are open.
	parts []failure
	// open is the case that was seen last, while it may still be explained; isOpen says whether there is one.
	open   result
	isOpen bool
	// about is the failing point that comments and YAML tell about; nil if the last point did not fail.
	about *failure
	yaml  yamlBlock
	// gaveUp means that the test, or prove, called for a stop. summarized means that prove has begun its summary.
	gaveUp, summarized bool
	// braced is the indentation of a test point whose subtest follows it in braces, -1 if there is none.
	braced int

	queue queue
	tail  tail
}

// document is a TAP document, or what prove prints of a file.
type document struct {
	// file is the name that prove gave it; empty without prove.
	file string
	// timed means that prove tells how long files take.
	timed bool
	// over means that nothing more counts: the test bailed out, or prove has said how the file ended.
	over    bool
	bailed  bool
	verdict verdict
	// period tells which lines of the standard error came while the document ran.
	period int
}

// New returns a reader that adds the cases to the sink.
func New(sink *results.Summary) *Reader {
	r := &Reader{sink: sink, braced: -1, yaml: noYAML}
	r.stdout.Each = r.line
	r.stderr.Each = r.stderrLine
	r.queue.sink = sink
	return r
}

// Write takes the standard output of the test. It never fails.
func (r *Reader) Write(p []byte) (int, error) { return r.stdout.Write(p) }

// Stderr takes the standard error of the test, where Perl's Test::More explains its failures.
func (r *Reader) Stderr() io.Writer { return &r.stderr }

// Close ends both streams: it notes what is missing, and explains as well as it can the cases that still wait for that.
func (r *Reader) Close() {
	r.stdout.Close()
	r.stderr.Close()
	r.queue.endBlock()
	r.end()
	r.begin(document{over: true})
	r.queue.close(&r.tail)
}

// Recognized says whether the stream has said something that only TAP says.
func (r *Reader) Recognized() bool { return r.recognized }

func (r *Reader) line(line []byte) {
	text := bytes.TrimLeft(line, " ")
	indent := len(line) - len(text)
	if indent == 0 && r.prove(text) {
		return
	}
	if r.doc.over {
		if !r.resumes(line) {
			return
		}
		r.end()
		r.begin(document{})
	}
	if r.braced >= 0 && (indent > r.braced || len(text) == 0) {
		r.inBraces(text)
		return
	}
	r.braced = -1
	if r.readYAML(line, indent) || len(text) == 0 {
		return
	}
	if text[0] == '#' {
		r.comment(text)
		return
	}
	if indent%indentation == 0 {
		r.statement(text, indent)
	}
}

// resumes says whether a line begins a document behind one that is over: a version behind one that bailed out, or TAP behind
// what looked like the words of prove.
func (r *Reader) resumes(line []byte) bool {
	if r.summarized {
		return false
	}
	_, isPlan := parsePlan(line)
	return isVersion(line) || isPlan && r.doc.file != "" && !r.doc.bailed
}

// statement reads a line that is no comment. Most of what is no TAP is told by its first character.
func (r *Reader) statement(text []byte, indent int) {
	depth := min(indent/indentation, maxDepth+1)
	switch text[0] {
	case 'o', 'n':
		if p, ok := parsePoint(text); ok {
			r.point(&p, depth)
			r.yaml = yamlBlock{indent: indent + yamlIndentation}
			if p.braced {
				r.braced = indent
			}
		}
	case '1':
		if p, ok := parsePlan(text); ok {
			r.plan(p, depth)
		}
	case 'B', 'b':
		if reason, ok := parseBailOut(text); ok {
			r.bailOut(reason)
		}
	case 'T':
		if depth == 0 && isVersion(text) {
			r.version()
		}
	}
}
