package junit

import (
	"fmt"
	"strings"

	"github.com/testrun-dev/testrun/internal/results"
)

// suite is an open testsuites or testsuite element.
type suite struct {
	name string
	// file is the source file that its attributes name, and host where it ran: a browser, for some.
	file, host string
	// copied means that another file has the same suite.
	copied bool
	// golang means that gotestsum wrote it. Cases of one package with the same name are then attempts of one.
	golang bool
	// declared is how many failures and errors its attributes count; listed is set when an element tells of one of them.
	declared int64
	listed   bool
}

func (p *parser) newSuite(a attributes) suite {
	s := suite{name: a.get("name", "file"), file: a.get("file"), host: a.get("hostname"), declared: count(a.get("failures")) + count(a.get("errors"))}
	// Ant writes the class and its package apart in a merged report, and together in the others.
	if pkg := a.get("package"); pkg != "" && s.name != "" && !strings.HasPrefix(s.name, pkg) {
		s.name = pkg + "." + s.name
	}
	if last := len(p.suites) - 1; last >= 0 {
		s.copied, s.golang = p.suites[last].copied, p.suites[last].golang
	}
	s.copied = s.copied || p.file.isCopy(s.name, a)
	return s
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

// finishSuite compares a suite with the failures that it declares. If it lists none of them, it has not passed.
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
