package junit

import (
	"fmt"
	"io"
	"path"

	"github.com/testrun-dev/testrun/internal/results"
)

// Limits of what is remembered of the files that were read. Beyond them, what comes again counts again.
const (
	maxSuites  = 8192
	maxFailed  = 4096
	maxFolders = 1024
)

// Reader reads the files of one test, in constant memory. What several files repeat counts once.
type Reader struct {
	sink     results.Sink
	attempts *results.Attempts
	files    int
	// suites has the number of the file in which a suite came first. failed has the cases that failed in any file.
	suites map[results.Key]int
	failed map[results.Key]struct{}
	// folders are those with a report in them.
	folders map[results.Key]struct{}
}

// New returns a reader that adds to the sink. Files at the top of a folder are read before those in folders below.
func New(sink results.Sink) *Reader {
	return &Reader{
		sink: sink, attempts: results.NewAttempts(sink),
		suites: map[results.Key]int{}, failed: map[results.Key]struct{}{}, folders: map[results.Key]struct{}{},
	}
}

// Read reads a file of a test that has no other.
func Read(in io.Reader, file string, sink results.Sink) bool {
	return New(sink).Read(in, file, true)
}

// Distrust says that the test failed and no case explains why. Then a failure counts as one, even if a case of the same name passed
// after it.
func (r *Reader) Distrust() { r.attempts.Distrust() }

// file is what a parser knows about the file that it reads.
type file struct {
	*Reader
	number int
	name   string
	folder results.Key
	// details means that the sink takes details.
	details bool
	// copied means that other files have all of it too. counted means that one of its cases has been counted.
	copied, counted bool
}

// reportsOfTestNG are the folders into which TestNG writes reports of its own, beside those of Maven Surefire that runs it.
var reportsOfTestNG = map[string]bool{"junitreports": true, "testng-junit-results": true}

func (r *Reader) begin(name string) *file {
	r.files++
	r.attempts.Forget()
	folder := path.Dir(name)
	f := &file{Reader: r, number: r.files, name: name, folder: results.KeyOf(folder), details: r.sink.Takes() == results.WithDetails}
	if reportsOfTestNG[path.Base(folder)] {
		_, f.copied = r.folders[results.KeyOf(path.Dir(folder))]
	}
	return f
}

// isCopy says whether another file has the same suite, because reports were merged or copied. Suites that say neither when they ran
// nor for how long are not compared: they might be two runs.
func (f *file) isCopy(name string, a attributes) bool {
	when, took := a.get("timestamp"), duration(a.get("time"))
	if f.copied || name == "" || when == "" && (took == 0 || a.get("tests") == "") {
		return f.copied
	}
	counts := fmt.Sprint(took, count(a.get("tests")), count(a.get("failures")), count(a.get("errors")))
	key := results.KeyOf(name, when, a.get("hostname"), counts)
	number, known := f.suites[key]
	if !known && len(f.suites) < maxSuites {
		f.suites[key] = f.number
	}
	return known && number != f.number
}

// isKnown says whether a case is known to have failed. From now on it is.
func (r *Reader) isKnown(failed results.Key) bool {
	_, known := r.failed[failed]
	if !known && len(r.failed) < maxFailed {
		r.failed[failed] = struct{}{}
	}
	return known
}

// add counts a case. If another file has the same suite, only a failure that is not known yet counts. A case that stands for a
// whole suite has no further attempts.
func (p *parser) add(c results.Case, wholeSuite bool) {
	f, inner := p.file, suite{copied: p.file.copied}
	if last := len(p.suites) - 1; last >= 0 {
		inner = p.suites[last]
	}
	failing := c.Outcome == results.Failed || c.Outcome == results.Errored
	if inner.copied && !failing || failing && f.isKnown(results.KeyOf(c.Suite, c.Name)) && inner.copied {
		return
	}
	if !f.counted && len(f.folders) < maxFolders {
		f.counted, f.folders[f.folder] = true, struct{}{}
	}
	if wholeSuite {
		f.sink.Add(c)
		return
	}
	f.attempts.Repeat(results.KeyOf(f.name, inner.name, inner.host, c.Suite, c.Name), c, inner.golang)
}
