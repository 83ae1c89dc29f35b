package show

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// The elements of JUnit's XML.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int64        `xml:"tests,attr"`
	Failures int64        `xml:"failures,attr"`
	Errors   int64        `xml:"errors,attr"`
	Skipped  int64        `xml:"skipped,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Timestamp string      `xml:"timestamp,attr,omitempty"`
	Tests     int64       `xml:"tests,attr"`
	Failures  int64       `xml:"failures,attr"`
	Errors    int64       `xml:"errors,attr"`
	Skipped   int64       `xml:"skipped,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string     `xml:"classname,attr,omitempty"`
	Name    string     `xml:"name,attr"`
	Time    string     `xml:"time,attr,omitempty"`
	File    string     `xml:"file,attr,omitempty"`
	Failure *junitText `xml:"failure,omitempty"`
	Error   *junitText `xml:"error,omitempty"`
	Skipped *junitText `xml:"skipped,omitempty"`
	// Flaky is what Maven Surefire writes of a case that passed after it had failed.
	Flaky *junitText `xml:"flakyFailure,omitempty"`
}

type junitText struct {
	Message string `xml:"message,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// JUnit writes the cases as JUnit's XML. A run that has not passed although no case failed has one more, which says why.
func JUnit(w io.Writer, r Results) error {
	all := junitSuites{Name: r.Run.Name}
	at := map[string]int{}
	for _, c := range r.whole() {
		name := c.Suite
		if name == "" {
			name = r.Run.Name
		}
		i, ok := at[name]
		if !ok {
			i = len(all.Suites)
			at[name] = i
			suite := junitSuite{Name: text(name)}
			if r.Run.Status.StartTime != nil {
				suite.Timestamp = r.Run.Status.StartTime.UTC().Format("2006-01-02T15:04:05")
			}
			all.Suites = append(all.Suites, suite)
		}
		all.Suites[i].add(c)
	}
	for _, s := range all.Suites {
		all.Tests, all.Failures, all.Errors, all.Skipped = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors, all.Skipped+s.Skipped
	}
	out, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, xml.Header+string(out)+"\n")
	return err
}

func (s *junitSuite) add(c Case) {
	s.Tests++
	written := junitCase{Class: text(c.Suite), Name: text(c.Name), File: text(c.Location)}
	if c.Took > 0 {
		written.Time = fmt.Sprintf("%.6f", c.Took.Seconds())
	}
	first, _, _ := strings.Cut(strings.TrimSpace(c.Message), "\n")
	why := &junitText{Message: text(first), Text: text(c.Message)}
	switch {
	case c.Outcome == string(v1alpha1.OutcomeFailed):
		s.Failures, written.Failure = s.Failures+1, why
	case c.Outcome == string(v1alpha1.OutcomeErrored):
		s.Errors, written.Error = s.Errors+1, why
	case c.Outcome == string(v1alpha1.OutcomeSkipped):
		s.Skipped, written.Skipped = s.Skipped+1, why
	case c.Flaky:
		written.Flaky = why
	}
	s.Cases = append(s.Cases, written)
}

// text is what XML can hold.
func text(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r < ' ' && r != '\n' && r != '\t' || r == 0xFFFE || r == 0xFFFF {
			return '\uFFFD'
		}
		return r
	}, s)
}

// whole are the cases, and one more if the run has not passed although none of them failed: a reader of the formats sees nothing but cases, and
// takes none at all for success.
func (r Results) whole() []Case {
	run := r.Run.TestRun
	if run.Status.Verdict == v1alpha1.VerdictPassed || r.Failed+r.Errored > 0 {
		return r.Cases
	}
	return append(slices.Clip(r.Cases), Case{
		Suite: "TestRun", Name: "the run " + run.Name + " passes", Outcome: string(v1alpha1.OutcomeErrored),
		Message: State(run) + ", " + Reason(run) + ": " + Message(run),
	})
}

// TAP writes the cases as the Test Anything Protocol, version 14.
func TAP(w io.Writer, r Results) {
	cases := r.whole()
	fmt.Fprintf(w, "TAP version 14\n1..%d\n", len(cases))
	for i, c := range cases {
		ok, directive := "ok", ""
		switch {
		case c.Failed():
			ok = "not ok"
		case c.Outcome == string(v1alpha1.OutcomeSkipped):
			first, _, _ := strings.Cut(strings.TrimSpace(c.Message), "\n")
			directive = strings.TrimRight(" # SKIP "+Line(first), " ")
		}
		fmt.Fprintf(w, "%s %d - %s%s\n", ok, i+1, tapName(c.FullName()), directive)
		if ok == "not ok" || c.Flaky {
			tapDetails(w, c)
		}
	}
}

// tapName is a description: a # in it would begin a directive, and a \ is what says that it does not.
func tapName(name string) string {
	return strings.NewReplacer(`\`, `\\`, `#`, `\#`).Replace(Line(name))
}

// tapDetails writes what is known of a case as a block of YAML.
func tapDetails(w io.Writer, c Case) {
	fmt.Fprintln(w, "  ---")
	if c.Message != "" {
		fmt.Fprintf(w, "  message: %s\n", yamlText(c.Message))
	}
	severity := "fail"
	if c.Flaky {
		severity = "comment" // it passed in the end
	}
	fmt.Fprintf(w, "  severity: %s\n", severity)
	if c.Location != "" {
		fmt.Fprintf(w, "  at: %s\n", yamlText(c.Location))
	}
	if c.Took > 0 {
		fmt.Fprintf(w, "  duration_ms: %.3f\n", float64(c.Took)/float64(time.Millisecond))
	}
	fmt.Fprintln(w, "  ...")
}
