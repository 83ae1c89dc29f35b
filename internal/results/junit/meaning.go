package junit

import (
	"fmt"
	"strings"

	"github.com/testrun-dev/testrun/internal/results"
)

// kind is what an element means to us.
type kind int

const (
	ignored      kind = iota // and all that is in it
	wrapper                  // unknown itself, but what is in it counts
	part                     // of the text of a verdict
	suiteElement             // testsuites and testsuite
	caseElement              // testcase
	failure
	fault // an error element
	skip
	flake // a failure of one of several tries
)

var kinds = map[string]kind{
	"testsuites": suiteElement, "testsuite": suiteElement, "testcase": caseElement,
	"failure": failure, "error": fault, "skipped": skip, "disabled": skip,
	"rerunFailure": flake, "rerunError": flake, "flakyFailure": flake, "flakyError": flake,
	"properties": ignored, "system-out": ignored, "system-err": ignored,
}

func (k kind) isVerdict() bool { return k == failure || k == fault || k == skip }

// kindOf says what an element means inside the innermost open one.
func (p *parser) kindOf(name string) kind {
	parent := p.inner()
	k, known := kinds[name]
	switch {
	case known && k == ignored || parent == ignored || parent == flake:
		return ignored
	case parent == part || parent.isVerdict():
		return part
	case parent == caseElement && !known:
		return ignored
	case !known:
		return wrapper
	case (k.isVerdict() || k == flake) && parent == wrapper:
		return ignored
	}
	return k
}

// suite is an open testsuites or testsuite element.
type suite struct {
	name string
	// declared is how many failures and errors its attributes count; listed is set when an element tells of one of them.
	declared int64
	listed   bool
}

// testcase is an open testcase element.
type testcase struct {
	results.Case
	// declared is the outcome that an attribute tells; empty if none does.
	declared               results.Outcome
	errored, failed, skips bool
	// failing and skipping say why it failed and why it was skipped.
	failing, skipping []byte
}

// statuses are the values of the attributes status and result that tell an outcome other than Passed. GoogleTest tells in no
// other way that a case did not run.
var statuses = map[string]results.Outcome{
	"notrun": results.Skipped, "skipped": results.Skipped, "suppressed": results.Skipped, "disabled": results.Skipped,
	"fail": results.Failed, "failed": results.Failed, "failure": results.Failed, "error": results.Errored,
}

// outcome is Errored if there is an error, whatever else there is, and then Failed if there is a failure.
func (c *testcase) outcome() results.Outcome {
	switch {
	case c.errored:
		return results.Errored
	case c.failed:
		return results.Failed
	case c.skips:
		return results.Skipped
	case c.declared != "":
		return c.declared
	}
	return results.Passed
}

// verdict is an open failure, error or skipped element.
type verdict struct {
	message, class string // its attributes message and type
	text           []byte
}

// begin takes the attributes of an element that was just opened.
func (p *parser) begin(k kind, a attributes) {
	switch k {
	case suiteElement:
		p.suites = append(p.suites, suite{name: a.get("name", "file"), declared: count(a.get("failures")) + count(a.get("errors"))})
	case caseElement:
		p.cases = append(p.cases, p.newCase(a))
	case failure, fault, skip:
		p.verdict.message, p.verdict.class, p.verdict.text = a.get("message"), a.get("type"), p.verdict.text[:0]
	case flake:
		p.list()
	default: // says nothing
	}
}

const unnamed = "(unnamed)"

func (p *parser) newCase(a attributes) testcase {
	c := testcase{Case: results.Case{
		Name: orUnnamed(a.get("name")), Suite: a.get("classname", "class"), Duration: duration(a.get("time")), Nested: len(p.cases) > 0,
	}}
	if c.Suite == "" {
		if c.Suite = p.suiteName(len(p.suites)); c.Suite == "" {
			c.Suite = a.get("file")
		}
	}
	for _, name := range []string{"status", "result"} {
		if outcome, found := statuses[strings.ToLower(a.get(name))]; found {
			c.declared = outcome
		}
	}
	return c
}

// suiteName is the name of the innermost of the outer depth suites that has one.
func (p *parser) suiteName(depth int) string {
	for depth--; depth >= 0; depth-- {
		if name := p.suites[depth].name; name != "" {
			return name
		}
	}
	return ""
}

// finish counts an element that was just closed.
func (p *parser) finish(k kind) {
	switch k {
	case suiteElement:
		p.finishSuite()
	case caseElement:
		last := len(p.cases) - 1
		c := &p.cases[last]
		c.Outcome = c.outcome()
		switch c.Outcome {
		case results.Failed, results.Errored:
			c.Message = string(c.failing)
			p.list()
		case results.Skipped:
			c.Message = string(c.skipping)
		default: // needs no message
		}
		p.sink.Add(c.Case)
		p.cases = p.cases[:last]
	case failure, fault, skip:
		p.finishVerdict(k)
	default: // says nothing
	}
}

func (p *parser) finishVerdict(k kind) {
	if p.inner() == suiteElement {
		if k != skip {
			p.list()
			p.addSuite(p.verdict.failure())
		}
		return
	}
	c := &p.cases[len(p.cases)-1]
	switch k {
	case fault:
		c.errored, c.failing = true, join(c.failing, p.verdict.failure())
	case failure:
		c.failed, c.failing = true, join(c.failing, p.verdict.failure())
	default:
		c.skips, c.skipping = true, join(c.skipping, p.verdict.reason())
	}
}

// finishSuite holds a suite to the failures that it declares: a report that lists none of them is not one of success.
func (p *parser) finishSuite() {
	last := len(p.suites) - 1
	s := p.suites[last]
	if s.declared > 0 && !s.listed {
		p.addSuite(fmt.Sprintf("the suite declares %d failures and lists none", s.declared))
		s.listed = true
	}
	p.suites = p.suites[:last]
	if s.listed {
		p.list()
	}
}

// list remembers that the innermost suite tells of a failure.
func (p *parser) list() {
	if len(p.suites) > 0 {
		p.suites[len(p.suites)-1].listed = true
	}
}

// addSuite adds a case for the innermost suite as a whole.
func (p *parser) addSuite(message string) {
	last := len(p.suites) - 1
	p.sink.Add(results.Case{
		Name: orUnnamed(p.suites[last].name), Suite: p.suiteName(last), Outcome: results.Errored, Message: message,
	})
}

// failure is the message, or else the type, and then the text; or the text alone if its first line has the former in it.
func (v *verdict) failure() string {
	head, text := strings.TrimSpace(v.message), strings.TrimSpace(string(v.text))
	if head == "" {
		head = strings.TrimSpace(v.class)
	}
	if text == "" || strings.HasPrefix(head, text) {
		return head
	}
	if i := strings.Index(text, head); i >= 0 && !strings.Contains(text[:i], "\n") {
		return text
	}
	return head + "\n" + text
}

// reason is why a case was skipped: the message, or else the text.
func (v *verdict) reason() string {
	if v.message != "" {
		return v.message
	}
	return strings.TrimSpace(string(v.text))
}

func join(messages []byte, message string) []byte {
	if len(messages) > 0 {
		messages = appendBounded(messages, "\n")
	}
	return appendBounded(messages, message)
}

func appendBounded[T string | []byte](to []byte, text T) []byte {
	return append(to, text[:min(len(text), maxText-len(to))]...)
}

func orUnnamed(name string) string {
	if name == "" {
		return unnamed
	}
	return name
}
