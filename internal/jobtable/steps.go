package jobtable

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobtable/rows"
)

// end is how a row ended, as it is written into its data.
type end struct {
	Verdict v1alpha1.Verdict `json:"verdict"`
	Reason  string           `json:"reason"`
	Message string           `json:"message,omitempty"`
	Run     string           `json:"run,omitempty"`
	// Passed and Total count all cases, also those that are left out of the steps.
	Passed    *int64 `json:"passed,omitempty"`
	Total     *int64 `json:"total,omitempty"`
	Truncated bool   `json:"truncated,omitempty"`
	Steps     []step `json:"steps"`
}

// step is one case of a test.
type step struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	MS      *int64 `json:"ms,omitempty"`
	Message string `json:"message,omitempty"`
	Suite   string `json:"suite,omitempty"`
	Skipped bool   `json:"skipped,omitempty"`
}

// endOf is how a run that has finished ended.
func endOf(run *v1alpha1.TestRun) end {
	e := end{Verdict: run.Status.Verdict, Run: run.Name, Steps: []step{}}
	for _, condition := range run.Status.Conditions {
		if condition.Type == v1alpha1.ConditionSucceeded {
			e.Reason, e.Message = condition.Reason, clean(condition.Message)
		}
	}
	results := run.Status.Results
	if results.Summary == "" {
		return e
	}
	e.Passed, e.Total, e.Truncated = &results.Passed, &results.Total, results.Truncated != nil && *results.Truncated
	for _, found := range results.Cases {
		s := step{
			Name: clean(found.Name), OK: found.Outcome == v1alpha1.OutcomePassed || found.Outcome == v1alpha1.OutcomeSkipped,
			Message: clean(found.Message), Suite: clean(found.Suite), Skipped: found.Outcome == v1alpha1.OutcomeSkipped,
		}
		if found.Duration != nil {
			ms := found.Duration.Milliseconds()
			s.MS = &ms
		}
		e.Steps = append(e.Steps, s)
	}
	return e
}

// clean is a text without zero bytes, which PostgreSQL refuses.
func clean(text string) string { return strings.ReplaceAll(text, "\x00", "\uFFFD") }

// endWithout is how a row ended that has no run, or none any more.
func endWithout(verdict v1alpha1.Verdict, reason, format string, args ...any) end {
	return end{Verdict: verdict, Reason: reason, Message: rows.Bounded(fmt.Sprintf(format, args...), 1024), Steps: []step{}}
}

// data is the end as JSON of at most that many bytes. Failing cases come first in a run's results, so the last steps are left out first.
func (e end) data(format v1alpha1.JobTableDataFormat, limit int) string {
	all := e.Steps
	write := func() string {
		if format == v1alpha1.JobTableDataStepList {
			return ascii(e.Steps)
		}
		return ascii(e)
	}
	text := write()
	if len(text) <= limit {
		return text
	}
	e.Truncated = true
	low, high := 0, len(all) // low steps fit, or none do
	for low < high {
		e.Steps = all[:(low+high+1)/2]
		if len(write()) <= limit {
			low = len(e.Steps)
		} else {
			high = len(e.Steps) - 1
		}
	}
	e.Steps = all[:low]
	for text = write(); len(text) > limit && e.Message != ""; text = write() {
		if room := len(e.Message) * 3 / 4; room >= 16 {
			e.Message = rows.Bounded(e.Message, room)
		} else {
			e.Message = ""
		}
	}
	if len(text) > limit {
		e.Run, e.Passed, e.Total = "", nil, nil
		text = write()
	}
	return text
}

// ascii is JSON in which each sign is ASCII: any encoding of a database holds it, and its length is the same in bytes and in characters.
func ascii(value any) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "" // structs of strings and numbers can be written
	}
	var result strings.Builder
	for _, r := range strings.TrimSuffix(text.String(), "\n") {
		switch {
		case r < 0x80:
			result.WriteRune(r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&result, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&result, `\u%04x`, r)
		}
	}
	return result.String()
}
