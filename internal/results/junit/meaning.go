package junit

import (
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
	flake    // a failure of one of several attempts, of which the last passed
	rerun    // a failure of a further attempt, where none passed
	bag      // of properties
	property // of a suite or a case
	output   // of a case
)

var kinds = map[string]kind{
	"testsuites": suiteElement, "testsuite": suiteElement, "testcase": caseElement,
	"failure": failure, "error": fault, "skipped": skip, "disabled": skip,
	"rerunFailure": rerun, "rerunError": rerun, "flakyFailure": flake, "flakyError": flake,
	"properties": bag, "system-out": output, "system-err": ignored,
}

func (k kind) isVerdict() bool {
	return k == failure || k == fault || k == skip || k == flake || k == rerun
}

// kindOf says what an element means inside the innermost open one.
func (p *parser) kindOf(name string) kind {
	k, known := kinds[name]
	switch parent := p.inner(); {
	case parent == bag && name == "property":
		return property
	case parent == ignored, parent == bag, parent == property, parent == output:
		return ignored
	case parent == part || parent.isVerdict():
		if known && (!k.isVerdict() || parent == flake || parent == rerun) {
			return ignored
		}
		return part
	case !known && parent == caseElement:
		return ignored
	case !known:
		return wrapper
	default:
		return p.kindIn(parent, k)
	}
}

// kindIn says what a known element means inside a suite, a case or a wrapper.
func (p *parser) kindIn(parent, k kind) kind {
	switch {
	case k.isVerdict() && parent == wrapper:
		return ignored
	case k == output && (parent != caseElement || !p.file.details):
		return ignored
	case k == bag && parent != caseElement && parent != suiteElement:
		return ignored
	}
	return k
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
		p.suites = append(p.suites, p.newSuite(a))
	case caseElement:
		p.cases = append(p.cases, p.newCase(a))
		p.output = p.output[:0]
	case failure, fault, skip, flake, rerun:
		p.verdict.message, p.verdict.class, p.verdict.text = a.get("message"), a.get("type"), p.verdict.text[:0]
		if k == flake {
			p.list()
		}
	case property:
		p.takeProperty(results.Property{Name: a.get("name"), Value: a.get("value")})
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
	c.declared, c.forgiven = declaredOutcome(a), strings.EqualFold(a.get("flaky"), "true")
	c.Location = p.location(a)
	if p.file.details {
		c.Details = &results.Details{}
	}
	return c
}

// finish counts an element that was just closed.
func (p *parser) finish(k kind) {
	switch k {
	case suiteElement:
		p.finishSuite()
	case caseElement:
		last := len(p.cases) - 1
		p.finishCase(&p.cases[last])
		p.cases = p.cases[:last]
	case failure, fault, skip, flake, rerun:
		p.finishVerdict(k)
	case output:
		p.finishOutput()
	default: // says nothing
	}
}

func (p *parser) finishCase(c *testcase) {
	// The first attempt may be an element of its own, before or after the others.
	if c.rerun && !c.errored && !c.failed {
		c.failed, c.failing = true, c.rerunning
	}
	c.Outcome = c.outcome()
	switch c.Outcome {
	case results.Failed, results.Errored:
		c.Message = string(c.failing)
		p.list()
	case results.Skipped:
		c.Message = string(c.skipping)
		if c.Message == "" {
			c.Message = string(c.failing)
		}
		if c.todo && c.failed {
			p.list() // the suite may count it
		}
	default:
		if c.forgiven && (c.errored || c.failed) {
			p.list()
			c.flaky, c.flaking = true, c.failing
		}
		if c.forgiven || c.flaky {
			c.Flaky, c.Message = true, string(c.flaking)
		}
	}
	p.locate(&c.Case)
	p.add(c.Case, false)
}

func (p *parser) finishVerdict(k kind) {
	if p.inner() == suiteElement {
		if k == failure || k == fault {
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
	case flake:
		if !c.flaky {
			c.flaky, c.flaking = true, join(c.flaking, p.verdict.failure())
		}
	case rerun:
		if !c.rerun {
			c.rerun, c.rerunning = true, join(c.rerunning, p.verdict.failure())
		}
	default:
		c.skips, c.skipping = true, join(c.skipping, p.verdict.reason())
		c.todo = c.todo || p.verdict.class == "todo"
	}
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
		messages = appendBounded(messages, "\n", maxText)
	}
	return appendBounded(messages, message, maxText)
}

func appendBounded[T string | []byte](to []byte, text T, limit int) []byte {
	return append(to, text[:min(len(text), limit-len(to))]...)
}

func orUnnamed(name string) string {
	if name == "" {
		return unnamed
	}
	return name
}
