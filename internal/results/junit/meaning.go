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

// kindIn is the meaning of a known element inside a suite, a case or a wrapper.
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

// suite is an open testsuites or testsuite element.
type suite struct {
	name string
	// file is the source file that its attributes name.
	file string
	// copied means that another file has the same suite.
	copied bool
	// golang means that gotestsum wrote it. Cases of one package with the same name are then attempts of one.
	golang bool
	// declared is how many failures and errors its attributes count; listed is set when an element tells of one of them.
	declared int64
	listed   bool
}

// testcase is an open testcase element.
type testcase struct {
	results.Case
	// declared is the outcome that an attribute tells; empty if none does. forgiven means that an attribute calls it flaky.
	declared results.Outcome
	forgiven bool
	// These tell of elements. todo means that the case is known to fail.
	errored, failed, skips, flaky, todo bool
	// failing, skipping and flaking say why it failed, why it was skipped, and why its first attempt failed.
	failing, skipping, flaking []byte
}

// statuses are the values of attributes that tell an outcome other than Passed, without blanks, hyphens and underscores.
// GoogleTest tells in no other way that a case did not run. What did not come to its end is an error.
var statuses = map[string]results.Outcome{
	"notrun": results.Skipped, "skipped": results.Skipped, "suppressed": results.Skipped, "disabled": results.Skipped, "skip": results.Skipped,
	"pending": results.Skipped, "ignored": results.Skipped, "notexecuted": results.Skipped, "todo": results.Skipped,
	"fail": results.Failed, "failed": results.Failed, "failure": results.Failed,
	"error": results.Errored, "errored": results.Errored, "broken": results.Errored, "timedout": results.Errored, "timeout": results.Errored,
	"panicked": results.Errored, "interrupted": results.Errored, "aborted": results.Errored, "inconclusive": results.Errored, "crashed": results.Errored,
}

// declaredOutcome is the outcome that the attributes of a case tell; empty if they tell none or that it passed.
func declaredOutcome(a attributes) results.Outcome {
	var outcome results.Outcome
	for _, name := range []string{"status", "result"} {
		if told, found := statuses[unspaced.Replace(strings.ToLower(a.get(name)))]; found {
			outcome = told
		}
	}
	switch {
	case outcome != "":
		return outcome
	case strings.EqualFold(a.get("executed"), "false"):
		return results.Skipped
	case strings.EqualFold(a.get("success"), "false"):
		return results.Failed
	}
	return ""
}

var unspaced = strings.NewReplacer(" ", "", "-", "", "_", "")

// outcome is Errored if there is an error, whatever else there is. A skip wins over a failure: karma and minitest write both for a
// case whose set-up failed before it was skipped, and node for one that is known to fail. A flaky case has passed.
func (c *testcase) outcome() results.Outcome {
	switch {
	case c.forgiven && (c.errored || c.failed):
		return results.Passed
	case c.errored:
		return results.Errored
	case c.skips:
		return results.Skipped
	case c.failed:
		return results.Failed
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

func (p *parser) newSuite(a attributes) suite {
	s := suite{name: a.get("name", "file"), file: a.get("file"), declared: count(a.get("failures")) + count(a.get("errors"))}
	// Ant gives a class and its package apart in the report that it merges, and in one in the others.
	if pkg := a.get("package"); pkg != "" && s.name != "" && !strings.HasPrefix(s.name, pkg) {
		s.name = pkg + "." + s.name
	}
	if last := len(p.suites) - 1; last >= 0 {
		s.copied, s.golang = p.suites[last].copied, p.suites[last].golang
	}
	s.copied = s.copied || p.file.isCopy(s.name, a)
	return s
}

func (p *parser) takeProperty(told results.Property) {
	last := len(p.cases) - 1
	switch {
	case last < 0:
		if told.Name == "go.version" && len(p.suites) > 0 {
			p.suites[len(p.suites)-1].golang = true
		}
	case p.file.details:
		details := p.cases[last].Details
		if len(details.Properties) < maxProperties {
			details.Properties = append(details.Properties, told)
		}
		if isAttachment(told.Name) {
			p.attach(told.Value)
		}
	}
}

// isAttachment says whether a property of that name gives the path of a file.
func isAttachment(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "attachment") || name == "testrail_attachment"
}

func (p *parser) attach(path string) {
	details := p.cases[len(p.cases)-1].Details
	if path = strings.TrimSpace(path); path != "" && len(details.Attachments) < maxAttachments {
		details.Attachments = append(details.Attachments, path)
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

// location is where a case stands by its attributes, or else its suite's file.
func (p *parser) location(a attributes) string {
	place := a.get("file", "filepath")
	for i := len(p.suites) - 1; i >= 0 && place == ""; i-- {
		place = p.suites[i].file
	}
	if line := a.get("line", "lineno"); place != "" && count(line) > 0 {
		place += ":" + strings.TrimSpace(line)
	}
	return place
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

// locate finds where a case failed that would be kept, if no attribute names the line.
func (p *parser) locate(c *results.Case) {
	sum := p.file.sink
	if c.Message == "" || hasLine(c.Location) || sum.Failed+sum.Errored+sum.Flaky > results.MaxCases && sum.Each == nil {
		return
	}
	if found := results.LocationIn(c.Message, c.Suite); found != "" {
		c.Location = found
	}
}

func hasLine(location string) bool {
	i := strings.LastIndexByte(location, ':')
	return i >= 0 && count(location[i+1:]) > 0
}

// attachmentMark stands around the path of a file in the output of a case, as Jenkins and GitLab read it.
const attachmentMark = "[[ATTACHMENT|"

func (p *parser) finishOutput() {
	details := p.cases[len(p.cases)-1].Details
	details.Output = string(p.output)
	for _, rest := range strings.Split(details.Output, attachmentMark)[1:] {
		if path, _, found := strings.Cut(rest, "]]"); found {
			p.attach(path)
		}
	}
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
		// The first attempt is a failure or an error of its own.
		if !c.errored && !c.failed {
			c.failed, c.failing = true, join(c.failing, p.verdict.failure())
		}
	default:
		c.skips, c.skipping = true, join(c.skipping, p.verdict.reason())
		c.todo = c.todo || p.verdict.class == "todo"
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
	p.add(results.Case{
		Name: orUnnamed(p.suites[last].name), Suite: p.suiteName(last), Outcome: results.Errored, Message: message,
	}, true)
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
