package jobspec

import (
	"testing"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/runner"
)

// The runner does not import the API's package, so it has copies of the names that both use.
func TestTheRunnerAndTheAPIHaveTheSameNames(t *testing.T) {
	if runner.EnvResults != v1alpha1.EnvResults {
		t.Errorf("the runner looks for $%s, want $%s", runner.EnvResults, v1alpha1.EnvResults)
	}
	for _, format := range []v1alpha1.ResultsFormat{v1alpha1.ResultsAuto, v1alpha1.ResultsTAP, v1alpha1.ResultsJUnit, v1alpha1.ResultsGoTest} {
		if _, err := runner.Parse(runner.Options{Format: string(format)}.Args()); err != nil {
			t.Error(err)
		}
	}
}
