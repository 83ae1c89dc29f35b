// Package tap reads the Test Anything Protocol, versions 12 to 14 (https://testanything.org), and what `prove -v`, the harness
// of Perl, makes of several such streams. It reads in constant memory, and counts as the harnesses do: test points at the top
// level are the cases, and a subtest is a part of the test point after it.
package tap

import (
	"bytes"
	"io"
	"math"

	"github.com/testrun-dev/testrun/internal/results"
)

const (
	// indentation is how many spaces a subtest is indented, relative to its test point.
	indentation = 4
	// maxDepth is how many levels of subtests are told apart. Failing points below count for the last of them.
	maxDepth = 8
)

// Reader reads one or more TAP documents from what a test prints.
type Reader struct {
	sink           results.Sink
	stdout, stderr results.Lines
	// plain is a buffer for a line without its colors.
	plain []byte
	// now is the line that is read.
	now      statement
	evidence evidence

	doc document
	// levels are the tallies of the document and of the subtests that are open, the outermost first. The last one stands for
	// all that is deeper. deepest is the last that is in use.
	levels  [maxDepth + 2]tally
	deepest int
	// parts are the failing points of the subtests that are open.
	parts []failure
	// last is the latest point, while more may come about it. isHeld says whether there is one.
	last   held
	isHeld bool
	// open are the points whose subtests in braces have begun, the outermost first.
	open []held
	// doubted are lines that are either TAP or YAML of the point that is held, each with a line feed. trusting means that they are
	// TAP, since a block of YAML was never closed.
	doubted  []byte
	trusting bool
	// gaveUp means that the test or prove bailed out. summarized means that prove has begun its summary.
	gaveUp, summarized bool

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
	// versioned means that it began with a version line.
	versioned bool
	// todo are the points that its plan expects to fail.
	todo []uint64
	// begun means that there was a point, at any level. commented means that the latest line of TAP is a comment. headed means that the
	// line before the first point was one: then comments are headings of what follows.
	begun, commented, headed bool
	timing                   timing
	// period tells which lines of the standard error came while the document ran.
	period int
}

// New returns a reader that adds the cases to the sink.
func New(sink results.Sink) *Reader {
	r := &Reader{sink: sink}
	r.stdout.Each = r.line
	r.stderr.Each = r.stderrLine
	r.queue.sink = sink
	return r
}

// Write takes the standard output of the test. It never fails.
func (r *Reader) Write(p []byte) (int, error) { return r.stdout.Write(p) }

// Stderr takes the standard error of the test, where Perl's Test::More explains its failures.
func (r *Reader) Stderr() io.Writer { return &r.stderr }

// Close ends both streams. It notes what is missing, and explains the cases that still wait, if it can.
func (r *Reader) Close() {
	r.stdout.Close()
	r.stderr.Close()
	r.queue.endBlock()
	r.resolve()
	r.end()
	r.begin(document{over: true})
	r.evidence.close()
	r.queue.close(&r.tail)
}

// Recognized says whether the stream had something that only TAP has.
func (r *Reader) Recognized() bool { return r.evidence.found }

// Planned is how many cases the document says it has; 0 if it has not said so, or if it is one of several files.
func (r *Reader) Planned() int64 {
	if top := &r.levels[0]; top.plans == 1 && top.planned <= math.MaxInt64 && r.doc.file == "" {
		return int64(top.planned)
	}
	return 0
}

func (r *Reader) line(line []byte) {
	line = uncolored(line, &r.plain)
	text := trimLeft(line)
	indent := len(line) - len(text)
	if r.doubted != nil && r.doubts(line, indent) {
		return
	}
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
	s := &r.now
	s.parse(line, indent)
	switch {
	case r.isHeld && r.last.came == yamlBegun && r.readYAML(line, indent, s):
	case r.closes(text, indent), r.isHeld && r.holds(line, indent, s):
	case len(text) == 0:
	case text[0] == '#':
		r.doc.commented = !isSubtest(commentText(text))
	case s.kind == nothing:
		r.foreign(text)
	default:
		r.statement(s, indent)
	}
}

// resumes says whether a line begins another document after one that is over: a version line after one that bailed out, or TAP
// after what looked like the words of prove.
func (r *Reader) resumes(line []byte) bool {
	if r.summarized {
		return false
	}
	_, isPlan := parsePlan(line)
	return isVersion(line) || isPlan && r.doc.file != "" && !r.doc.bailed
}

// foreign takes a line that is not TAP. Inside a subtest in braces it may say something about the point.
func (r *Reader) foreign(text []byte) {
	r.evidence.foreign()
	if n := len(r.open); n > 0 && r.open[n-1].fails() {
		r.open[n-1].said.add(text)
	}
}

// kind says what a line of TAP is, other than a comment and YAML.
type kind int

const (
	nothing kind = iota
	aPoint
	aPlan
	aBailOut
	aVersion
)

// statement is a line of TAP.
type statement struct {
	kind
	point  point
	plan   plan
	reason string
}

// isSure says whether the line is TAP for certain. An ordinary sentence may begin with "ok".
func (s *statement) isSure() bool {
	return s.kind != nothing && (s.kind != aPoint || s.point.numbered || s.point.dashed || s.point.description == "")
}

// parse reads a line that is not a comment. The first character or the indentation, which is four spaces for each level, shows most
// lines that are not TAP.
func (s *statement) parse(line []byte, indent int) {
	s.kind = nothing
	text := line[indent:]
	if len(text) == 0 || indent%indentation != 0 || bytes.IndexByte(line[:indent], '\t') >= 0 {
		return
	}
	known := false
	switch text[0] {
	case 'o', 'n':
		s.kind = aPoint
		s.point, known = parsePoint(text)
	case 's':
		s.kind = aPoint
		s.point, known = parseTestem(text)
	case '1':
		s.kind = aPlan
		s.plan, known = parsePlan(text)
	case 'B', 'b':
		s.kind = aBailOut
		s.reason, known = parseBailOut(text)
	case 'T', 't':
		s.kind = aVersion
		if known = indent == 0 && isVersion(text); !known {
			s.kind = aPoint
			s.point, known = parseTestem(text)
		}
	}
	if !known {
		s.kind = nothing
	}
}

func (r *Reader) statement(s *statement, indent int) {
	depth := min(indent/indentation, maxDepth+1)
	if s.kind == aPoint {
		r.settleBefore(depth)
	} else {
		r.settle(depth)
	}
	switch s.kind {
	case aPoint:
		r.hold(&s.point, depth, indent)
	case aPlan:
		r.plan(&s.plan, depth)
	case aBailOut:
		r.bailOut(s.reason)
	case aVersion:
		r.version()
	case nothing:
	}
}
