package gotest

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/testrun-dev/testrun/internal/results"
)

// maxCrash bounds the line that says why a test binary crashed, in bytes.
const maxCrash = 256

// progress is what is known about a package that has begun and not ended.
type progress struct {
	name   string
	serial int
	// tests are the running tests, by name. unnamed counts those beyond maxTests.
	tests   map[string]*test
	unnamed int
	// stray is the last test that printed something and is not in tests. Before Go 1.20 benchmarks did not say that they begin.
	stray test
	// again means that the package has failed before, so that its tests are further attempts.
	again bool
	// failing means that a case of the package failed.
	failing bool
	// finished means that the test binary said that it came to its end.
	finished bool
	// crash is the line that says why it did not. timedOut means that it ran out of time.
	crash    string
	timedOut bool
	// reason says why the package was not run: "build failed" or "setup failed".
	reason string
	// output is what the package printed outside its tests.
	output excerpt
}

// test is a running test.
type test struct {
	name   string
	serial int
	// reported is the outcome in the test's own output. The go command normally makes an event of it.
	reported results.Outcome
	output   excerpt
	// details is nil if nobody asks for them.
	details *results.Details
}

// maxProperties and maxAttachments bound the details of a test.
const (
	maxProperties  = 64
	maxAttachments = 64
)

// detailed returns what a test said about itself and printed, if the sink takes details.
func (t *test) detailed() *results.Details {
	if t == nil || t.details == nil {
		return nil
	}
	t.details.Output = t.output.text()
	return t.details
}

// describe takes what a test says about itself.
func (t *test) describe(e *event) {
	switch d := t.details; {
	case d == nil:
	case e.Action == "attr" && len(d.Properties) < maxProperties:
		d.Properties = append(d.Properties, results.Property{Name: bounded(e.Key), Value: bounded(e.Value)})
	case e.Action == "artifacts" && len(d.Attachments) < maxAttachments:
		d.Attachments = append(d.Attachments, bounded(e.Path))
	}
}

func (p *progress) begun() int { return p.serial }
func (t *test) begun() int     { return t.serial }

// print takes what a test or the package has printed: a line, or a part of one.
func (p *progress) print(e *event) {
	text := p.unframe(e.Output, e.Test)
	line := strings.TrimRight(text, "\r\n")
	switch {
	case e.Test != "":
		// A benchmark prints its name first.
		if text != "" && line != e.Test {
			p.record(p.printing(e.Test), text)
		}
	case line == "PASS", line == "FAIL":
		p.finished = true
	case strings.HasPrefix(line, "FAIL\t"):
		_, p.reason = buildFailure(line)
	case strings.HasPrefix(line, "coverage: "):
	default:
		p.record(&p.output, text)
	}
}

// printing is where to keep the output of a test.
func (p *progress) printing(name string) *excerpt {
	if t := p.tests[name]; t != nil {
		return &t.output
	}
	if p.stray.name != name {
		p.stray = test{name: name}
	}
	return &p.stray.output
}

// record keeps what has been printed. A panic says more than what came before it, except the panic of a timeout: that only lists
// the goroutines.
func (p *progress) record(x *excerpt, text string) {
	switch {
	case p.timedOut:
		return
	case strings.HasPrefix(text, "panic: "), strings.HasPrefix(text, "fatal error: "):
		line, _, _ := strings.Cut(text, "\n")
		p.crash = cmp.Or(p.crash, strings.Clone(line[:min(len(line), maxCrash)]))
		if strings.HasPrefix(text, "panic: test timed out after ") {
			p.timedOut = true
			return
		}
		x.restart()
	}
	x.add(text)
}

// explain puts the reason of a crash before the output.
func (p *progress) explain(x *excerpt) string {
	text := x.text()
	if strings.HasPrefix(text, p.crash) {
		return text
	}
	return strings.TrimSpace(p.crash + "\n" + text)
}

// verdict is how a test ended that has no end event. There is none for a report that is not on a line of its own (before Go 1.20),
// and none for a benchmark that passes (since Go 1.20).
func (p *progress) verdict(t *test) (outcome results.Outcome, message string) {
	switch outcome = t.reported; {
	case outcome == results.Passed, outcome == "" && p.finished:
		return results.Passed, ""
	case outcome != "":
		return outcome, t.output.text()
	}
	if why := p.explain(&t.output); why != "" {
		return results.Errored, "did not end: " + why
	}
	return results.Errored, "did not end"
}

// breaksOff says in words that the package has no end.
func (p *progress) breaksOff() string {
	what := "nothing says how it ended"
	if running := inOrder(p.tests); len(running) > 0 && !p.finished {
		what = running[0].name + " did not end"
		if more := len(running) - 1 + p.unnamed; more > 0 {
			what = fmt.Sprintf("%s and %d more did not end", running[0].name, more)
		}
	}
	if p.name == "" {
		return "the results break off: " + what
	}
	return fmt.Sprintf("the results of package %s break off: %s", p.name, what)
}

var updates = []string{"=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME ", "=== ATTR ", "=== ARTIFACTS "}

var reports = []struct {
	prefix  string
	outcome results.Outcome
}{
	{"--- PASS: ", results.Passed},
	{"--- BENCH: ", results.Passed},
	{"--- FAIL: ", results.Failed},
	{"--- SKIP: ", results.Skipped},
}

// unframe removes what the testing package prints around a test's own output, and remembers what it reports of a running test.
// A report may come after text on the same line, if the test printed that without a line feed.
func (p *progress) unframe(text, printing string) string {
	for _, update := range updates {
		if strings.HasPrefix(text, update) {
			return ""
		}
	}
	at := strings.LastIndex(text, "--- ")
	if at < 0 {
		return text
	}
	for _, report := range reports {
		rest, ok := strings.CutPrefix(text[at:], report.prefix)
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(rest, " (")
		name = bounded(strings.TrimSpace(name))
		t := p.tests[name]
		if t != nil {
			t.reported = report.outcome
		}
		if t != nil || name == printing {
			return strings.TrimRight(text[:at], " ")
		}
	}
	return text
}
