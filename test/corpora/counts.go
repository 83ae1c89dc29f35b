package main

import (
	"fmt"

	"github.com/testrun-dev/testrun/internal/results"
)

// counts are the cases of a run. Not all tools tell an error from a failure, so the two are one.
type counts struct{ passed, failing, skipped int64 }

func (c counts) String() string { return fmt.Sprintf("%d/%d/%d", c.passed, c.failing, c.skipped) }

func countsOf(report *results.Report) counts {
	return counts{report.Passed, report.Failed + report.Errored, report.Skipped}
}

func parseCounts(text string) (c counts, err error) {
	if _, err = fmt.Sscanf(text, "%d/%d/%d", &c.passed, &c.failing, &c.skipped); err != nil {
		err = fmt.Errorf("%q is not PASSED/FAILING/SKIPPED: %w", text, err)
	}
	return c, err
}
