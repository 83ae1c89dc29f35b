package show

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Case is how a case ended.
type Case struct {
	Suite, Name, Outcome, Location, Message string
	// Took is how long it took; 0 if nothing says so.
	Took  time.Duration
	Flaky bool
	// Mark is new, failing, fixed or flaky, compared with the run before; empty if nobody knows. Since names the run since which it fails.
	Mark, Since string
}

// Failed says whether the case fails its run.
func (c Case) Failed() bool {
	return c.Outcome == string(v1alpha1.OutcomeFailed) || c.Outcome == string(v1alpha1.OutcomeErrored)
}

// FullName is the name of the case with its suite.
func (c Case) FullName() string {
	if c.Suite == "" {
		return c.Name
	}
	return c.Suite + ": " + c.Name
}

// Results are the cases of an attempt of a run.
type Results struct {
	Run Run
	// Attempt is its number; 0 if the run had none.
	Attempt int32
	Cases   []Case
	// Counts are those of all cases, also of those that are not in Cases.
	Passed, Failed, Errored, Skipped, Flaky int64
	// Note says what is missing, and why; empty if nothing is.
	Note string
}

// Total is the number of all cases.
func (r Results) Total() int64 { return r.Passed + r.Failed + r.Errored + r.Skipped }

// CasesOf are the cases that the object of a run holds.
func CasesOf(run Run) Results {
	kept := run.Status.Results
	r := Results{
		Run: run, Passed: kept.Passed, Failed: kept.Failed, Errored: kept.Errored, Skipped: kept.Skipped, Flaky: kept.Flaky,
	}
	if n := len(run.Status.Attempts); n > 0 {
		r.Attempt = run.Status.Attempts[n-1].Number
	}
	for _, c := range kept.Cases {
		seen := Case{Suite: c.Suite, Name: c.Name, Outcome: string(c.Outcome), Location: c.Location, Message: c.Message}
		if c.Duration != nil {
			seen.Took = c.Duration.Duration
		}
		seen.Flaky = c.Flaky != nil && *c.Flaky
		r.Cases = append(r.Cases, seen)
	}
	return r
}

// importance orders cases: those that fail the run first.
func (c Case) importance() int {
	switch {
	case c.Failed():
		return 0
	case c.Flaky:
		return 1
	case c.Mark == "fixed":
		return 2
	case c.Outcome == string(v1alpha1.OutcomeSkipped):
		return 3
	default:
		return 4
	}
}

// FailuresFirst sorts the cases by what people look for; else they stay in the order of the test.
func (r Results) FailuresFirst() {
	slices.SortStableFunc(r.Cases, func(x, y Case) int { return x.importance() - y.importance() })
}

// Results writes the verdict and the cases, failures first. Of cases that passed it writes none, unless all is set.
func (l Look) Results(w io.Writer, r Results, now time.Time, all bool) {
	r.FailuresFirst()
	fmt.Fprintln(w, l.Brief(r.Run, now))
	if r.Total() == 0 {
		fmt.Fprintln(w, noCases(r.Run.TestRun))
		return
	}
	fmt.Fprintln(w, r.summary())
	left := 0
	for _, c := range r.Cases {
		if c.importance() > 1 && !all && c.Mark != "fixed" {
			left++
			continue
		}
		l.oneCase(w, c)
	}
	if left > 0 {
		fmt.Fprintf(w, "%s not shown, since nothing is wrong with them: --all shows them too.\n", Count(int64(left), "case"))
	}
	if r.Note != "" {
		fmt.Fprintln(w, Clean(r.Note))
	}
}

func (r Results) summary() string {
	parts := []string{fmt.Sprintf("%d passed", r.Passed)}
	for _, part := range []struct {
		n    int64
		word string
	}{{r.Failed, "failed"}, {r.Errored, "errored"}, {r.Skipped, "skipped"}, {r.Flaky, "flaky"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.word))
		}
	}
	return Count(r.Total(), "case") + ": " + strings.Join(parts, ", ")
}

// noCases says why there are none.
func noCases(run *v1alpha1.TestRun) string {
	if IsFinished(run) {
		return "The test reported no cases: its exit code decided. docs/results.md says how a test reports them."
	}
	return "The cases are known when the run has finished."
}

func (l Look) oneCase(w io.Writer, c Case) {
	word := c.Outcome
	if c.Flaky {
		word = "Flaky"
	}
	line := "\n" + l.paint(word) + "  " + Line(c.FullName())
	var about []string
	switch c.Mark {
	case "new":
		about = append(about, "new")
	case "failing":
		since := "failing as before"
		if c.Since != "" {
			since = "failing since " + Line(c.Since)
		}
		about = append(about, since)
	case "fixed":
		about = append(about, "fixed")
	}
	if c.Took > 0 {
		about = append(about, c.Took.Round(time.Millisecond).String())
	}
	if c.Location != "" {
		about = append(about, Line(c.Location))
	}
	if len(about) > 0 {
		line += "  (" + strings.Join(about, ", ") + ")"
	}
	fmt.Fprintln(w, line)
	if strings.TrimSpace(c.Message) != "" {
		fmt.Fprintln(w, indent(c.Message, "    "))
	}
}
