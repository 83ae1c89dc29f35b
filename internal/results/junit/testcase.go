package junit

import (
	"strings"

	"github.com/testrun-dev/testrun/internal/results"
)

// testcase is an open testcase element.
type testcase struct {
	results.Case
	// declared is the outcome that an attribute tells; empty if none does. forgiven means that an attribute calls it flaky.
	declared results.Outcome
	forgiven bool
	// These tell of elements. todo means that the case is known to fail.
	errored, failed, skips, flaky, rerun, todo bool
	// failing and skipping say why it failed and why it was skipped, flaking and rerunning why another attempt failed.
	failing, skipping, flaking, rerunning []byte
}

// statuses are the values of attributes that tell an outcome other than Passed, without blanks, hyphens and underscores.
// GoogleTest tells in no other way that a case did not run. What did not come to its end is an error.
var statuses = map[string]results.Outcome{
	"notrun": results.Skipped, "skipped": results.Skipped, "suppressed": results.Skipped, "disabled": results.Skipped, "skip": results.Skipped,
	"pending": results.Skipped, "ignored": results.Skipped, "notexecuted": results.Skipped, "todo": results.Skipped,
	"fail": results.Failed, "failed": results.Failed, "failure": results.Failed,
	"error": results.Errored, "errored": results.Errored, "broken": results.Errored, "timedout": results.Errored, "timeout": results.Errored,
	"panicked": results.Errored, "interrupted": results.Errored, "aborted": results.Errored, "inconclusive": results.Errored, "crashed": results.Errored,
	"crash": results.Errored, "killed": results.Errored, "canceled": results.Errored, "cancelled": results.Errored, "exception": results.Errored,
	"notrunnable": results.Errored, "invalid": results.Errored,
}

// declaredOutcome is the outcome that the attributes of a case tell; empty if they tell none or that it passed.
func declaredOutcome(a attributes) results.Outcome {
	var outcome results.Outcome
	for _, name := range []string{"status", "result"} {
		if value := a.get(name); value != "" {
			if told, found := statuses[unspaced.Replace(strings.ToLower(value))]; found {
				outcome = told
			}
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

// locate finds where a case failed, if no attribute names the line and the sink wants to know.
func (p *parser) locate(c *results.Case) {
	if c.Message == "" || hasLine(c.Location) || p.file.sink.Takes() == results.CountOnly {
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
