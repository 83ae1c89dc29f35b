// Package gotest reads what `go test -json` prints, by any version of Go since 1.10: the events that `go doc cmd/test2json`
// describes, one JSON object a line, and since Go 1.24 those of `go help buildjson`. Where these say nothing, the reader follows
// what the go command prints.
package gotest

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/testrun-dev/testrun/internal/results"
)

const (
	// maxPackages bounds the packages in progress. The go command runs no more at once than there are processors.
	maxPackages = 256
	// maxTests bounds the running tests that are known by name, those of all packages together.
	maxTests = 1024
	// maxFailed bounds the failed packages that are remembered, to recognize one that starts again.
	maxFailed = 4096
	// unnamed stands for the name of a test beyond that.
	unnamed = "(name not kept)"
)

// Reader reads the output of a test as it comes, in constant memory, and adds its cases to a Sink. Tests, subtests, examples, fuzz
// tests and benchmarks are cases. A package is a case only if it fails for another reason than its tests. If a failed package
// starts again, its tests are further attempts. A Reader is not safe for concurrent use.
type Reader struct {
	sink           results.Sink
	attempts       *results.Attempts
	stdout, stderr stream
	recognized     bool
	// started means that test2json may have begun without the name of a package. bare means that it has.
	started, bare bool

	packages map[string]*progress
	// failed are packages that have failed.
	failed map[results.Key]struct{}
	// serial numbers the packages and tests in the order of their beginning.
	serial int
	// tests is the number of running tests that are known by name.
	tests int
	// crowd stands for all packages beyond maxPackages. Once there is one, every new package joins it, so that all events of a
	// package go to the same place.
	crowd   progress
	crowded bool
	// begun and ended count the packages of the crowd.
	begun, ended int

	builds builds
	// unexplained are packages whose build failed and for which the compiler's output may still come: older versions of Go print it
	// on stderr, before or after the events.
	unexplained []failedBuild
	// more is the number of those that there was no room for.
	more int
}

// New returns a reader that adds to sink.
func New(sink results.Sink) *Reader {
	r := &Reader{
		sink: sink, attempts: results.NewAttempts(sink),
		packages: map[string]*progress{}, failed: map[results.Key]struct{}{},
	}
	r.stdout.lines.Each = r.line
	r.stderr.lines.Each = func(line []byte) { r.builds.text(&r.stderr, line) }
	return r
}

// Write reads what the test prints on stdout. It never fails.
func (r *Reader) Write(p []byte) (int, error) { return r.stdout.lines.Write(p) }

// Stderr reads what the test prints on stderr, where older versions of Go say why a build failed. It never fails.
func (r *Reader) Stderr() io.Writer { return &r.stderr.lines }

// Recognized says whether any line was an event of go test.
func (r *Reader) Recognized() bool { return r.recognized }

// Close ends both streams, and counts what has begun and not ended.
func (r *Reader) Close() {
	r.stderr.lines.Close()
	r.stdout.lines.Close()
	for _, p := range inOrder(r.packages) {
		r.sink.Note(results.Incomplete, p.breaksOff())
		r.settle(p)
	}
	clear(r.packages)
	if open := r.begun - r.ended; open > 0 {
		r.sink.Note(results.Incomplete, fmt.Sprintf("the results of %d packages break off", open))
		r.settle(&r.crowd)
	}
	r.crowd, r.crowded, r.begun, r.ended = progress{}, false, 0, 0
	r.explainBuilds()
}

func (r *Reader) line(line []byte) {
	e, ok := decode(line)
	if ok && e.Package == "" && e.ImportPath == "" && !r.believes(&e) {
		return
	}
	if ok {
		r.recognized, r.stdout.heading = true, ""
		r.handle(&e)
		return
	}
	if pkg, reason := buildFailure(string(line)); reason != "" {
		r.stdout.heading = ""
		r.await(failedBuild{pkg: bounded(pkg), reason: reason})
		return
	}
	r.builds.text(&r.stdout, line)
}

// believes says whether an event without a package is one of test2json, which says first that it starts or that a test runs.
func (r *Reader) believes(e *event) bool {
	r.bare = r.bare || r.started || e.Action == "run" && e.Test != ""
	r.started = r.started || e.Action == "start"
	return r.bare
}

func (r *Reader) handle(e *event) {
	if e.ImportPath != "" && e.Package == "" {
		r.builds.add(e.ImportPath, e.Output)
		return
	}
	p := r.progress(e.Package)
	switch outcome, end := outcomes[e.Action]; {
	case end && e.Test == "":
		r.endPackage(p, e)
	case end:
		r.endTest(p, e, outcome)
	case e.Action == "run" && e.Test != "":
		r.beginTest(p, e.Test)
	case e.Action == "output" && p != &r.crowd:
		p.print(e)
	case p.tests[e.Test] != nil:
		p.tests[e.Test].describe(e)
	case e.Action == "start" && p == &r.crowd:
		r.begun++
	}
}

// progress finds a package, and begins it if it is new.
func (r *Reader) progress(name string) *progress {
	p := r.packages[name]
	switch {
	case p != nil:
		return p
	case r.crowded || len(r.packages) == maxPackages:
		r.crowded = true
		return &r.crowd
	}
	r.serial++
	p = &progress{name: name, serial: r.serial, tests: map[string]*test{}}
	_, p.again = r.failed[results.KeyOf(name)]
	r.packages[name] = p
	return p
}

func (r *Reader) beginTest(p *progress, name string) {
	// A test that begins again has ended without an event.
	if p.tests[name] != nil || p == &r.crowd || r.tests == maxTests {
		p.unnamed++
		return
	}
	r.serial++
	r.tests++
	begun := &test{name: name, serial: r.serial}
	if r.sink.Takes() == results.WithDetails {
		begun.details = &results.Details{}
	}
	p.tests[name] = begun
}

func (r *Reader) endTest(p *progress, e *event, outcome results.Outcome) {
	var message string
	t := p.tests[e.Test]
	switch {
	case t != nil:
		delete(p.tests, e.Test)
		r.tests--
	case p.unnamed > 0:
		p.unnamed--
	}
	if t == nil && p.stray.name == e.Test {
		t = &p.stray
	}
	if t != nil && outcome != results.Passed {
		message = t.output.text()
	}
	if t == &p.stray {
		p.stray = test{}
	}
	r.add(p, results.Case{
		Suite: e.Package, Name: e.Test, Outcome: outcome, Duration: e.duration(), Message: message, Details: t.detailed(),
	})
}

// settle ends the tests of a package that have no end event.
func (r *Reader) settle(p *progress) {
	for _, t := range inOrder(p.tests) {
		outcome, message := p.verdict(t)
		r.add(p, results.Case{Suite: p.name, Name: t.name, Outcome: outcome, Message: message, Details: t.detailed()})
	}
	r.tests -= len(p.tests)
	outcome, message := p.verdict(&test{})
	for range p.unnamed {
		r.add(p, results.Case{Suite: p.name, Name: unnamed, Outcome: outcome, Message: message})
	}
}

func (r *Reader) add(p *progress, c results.Case) {
	p.failing = p.failing || c.Outcome == results.Failed || c.Outcome == results.Errored
	c.Nested = strings.Contains(c.Name, "/")
	r.locate(&c)
	switch {
	case c.Name == unnamed:
		r.sink.Add(c)
	case p.again:
		r.attempts.Retry(results.KeyOf(p.name, c.Name), c)
	default:
		r.attempts.Add(results.KeyOf(c.Suite, c.Name), c)
	}
}

// locate finds where a case failed, if the sink wants to know.
func (r *Reader) locate(c *results.Case) {
	if c.Message != "" && r.sink.Takes() != results.CountOnly {
		c.Location = results.LocationIn(c.Message, "")
	}
}

func (r *Reader) endPackage(p *progress, e *event) {
	if p == &r.crowd {
		r.ended++
	} else {
		r.settle(p)
		delete(r.packages, p.name)
	}
	switch {
	case e.Action == "pass" && p.again && r.attempts.Failed(keyOf(e.Package)):
		r.attempts.Retry(keyOf(e.Package), results.Case{Name: e.Package, Outcome: results.Passed})
	case e.Action != "fail" || p.failing:
	case e.FailedBuild != "" || p.reason != "":
		r.await(failedBuild{pkg: e.Package, reason: p.reason, cause: e.FailedBuild})
	default:
		r.addPackage(e.Package, p.explain(&p.output))
	}
	// Without the name of a package, nothing tells two programs apart.
	if e.Action == "fail" && e.Package != "" && len(r.failed) < maxFailed {
		r.failed[results.KeyOf(e.Package)] = struct{}{}
	}
}

// keyOf identifies the case that stands for a whole package.
func keyOf(pkg string) results.Key { return results.KeyOf(pkg, "") }

// addPackage adds a case for a package that failed for another reason than its tests. Its attempts are one case.
func (r *Reader) addPackage(name, message string) {
	if message == "" {
		message = "the package failed, but none of its tests did"
	}
	c := results.Case{Name: name, Outcome: results.Errored, Message: message}
	if name == "" {
		c.Name = "(package not named)"
	}
	r.locate(&c)
	switch name {
	case "", unnamed:
		r.sink.Add(c)
	default:
		r.attempts.Retry(keyOf(name), c)
	}
}

// duration is the time that a test took, at least 0 and at most maxElapsed.
func (e *event) duration() time.Duration {
	return time.Duration(min(max(0, e.Elapsed), maxElapsed) * float64(time.Second))
}

// inOrder returns packages or tests in the order in which they began.
func inOrder[T interface{ begun() int }](all map[string]T) []T {
	sorted := make([]T, 0, len(all))
	for _, one := range all {
		sorted = append(sorted, one)
	}
	slices.SortFunc(sorted, func(a, b T) int { return a.begun() - b.begun() })
	return sorted
}
