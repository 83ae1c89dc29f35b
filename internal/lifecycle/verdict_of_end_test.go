package lifecycle

import (
	"testing"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/results"
)

func TestTheVerdictOfATestThatEndedNeedsNoCluster(t *testing.T) {
	for name, test := range map[string]struct {
		format v1alpha1.ResultsFormat
		code   int32
		report string
		want   string
	}{
		"all cases passed":           {v1alpha1.ResultsAuto, 0, reported(cases(results.Passed)), "Passed TestPassed"},
		"a case failed":              {v1alpha1.ResultsAuto, 0, reported(cases(results.Passed, results.Failed)), "Failed CasesFailed"},
		"TAP without a case":         {v1alpha1.ResultsAuto, 0, reported(), "Error NoResults"},
		"no case, and it failed":     {v1alpha1.ResultsAuto, 3, `{"testrun":1,"final":true}`, "Failed TestFailed"},
		"no case, though demanded":   {v1alpha1.ResultsTAP, 0, reported(), "Error NoResults"},
		"no report":                  {v1alpha1.ResultsAuto, 0, "", "Failed ResultsIncomplete"},
		"the exit code alone counts": {v1alpha1.ResultsNone, 0, "", "Passed TestPassed"},
	} {
		verdict, reason, message := VerdictOfEnd(test.format, test.code, test.report)
		if got := string(verdict) + " " + reason; got != test.want || message == "" {
			t.Errorf("%s: %s, %q, want %s", name, got, message, test.want)
		}
	}
}
