package retention

import (
	"slices"
	"testing"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

func hours(n int) *v1alpha1.Duration {
	return &v1alpha1.Duration{Duration: time.Duration(n) * time.Hour}
}

var ttlByVerdict = v1alpha1.TTL{Passed: hours(1), Failed: hours(2), Error: hours(3), TimedOut: hours(4), Cancelled: hours(5)}

func TestHowLongARunIsKept(t *testing.T) {
	inline := builders.TestSpec("true")
	inline.Retention.TTL = ttlByVerdict
	test := builders.Test("suite", inline)

	tests := map[string]struct {
		run  *builders.TestRunBuilder
		test *v1alpha1.Test
		want *v1alpha1.Duration
	}{
		"a run that passed":                     {builders.TestRun("a").Of("suite").Finished(v1alpha1.VerdictPassed, ""), test, hours(1)},
		"a run that failed":                     {builders.TestRun("a").Of("suite").Finished(v1alpha1.VerdictFailed, ""), test, hours(2)},
		"a run that could not be run":           {builders.TestRun("a").Of("suite").Finished(v1alpha1.VerdictError, ""), test, hours(3)},
		"a run that timed out":                  {builders.TestRun("a").Of("suite").Finished(v1alpha1.VerdictTimedOut, ""), test, hours(4)},
		"a run that was cancelled":              {builders.TestRun("a").Of("suite").Finished(v1alpha1.VerdictCancelled, ""), test, hours(5)},
		"a run with a TTL of its own":           {builders.TestRun("a").Of("suite").TTL(7*time.Hour).Finished(v1alpha1.VerdictPassed, ""), test, hours(7)},
		"a run with a TTL of its own of 0":      {builders.TestRun("a").Of("suite").TTL(0).Finished(v1alpha1.VerdictPassed, ""), test, hours(0)},
		"a run of a Test that says nothing":     {builders.TestRun("a").Of("suite").Finished(v1alpha1.VerdictPassed, ""), builders.Test("suite", builders.TestSpec("true")), nil},
		"a run of a Test that is gone":          {builders.TestRun("a").Of("suite").Finished(v1alpha1.VerdictPassed, ""), nil, nil},
		"a run of its own definition":           {builders.TestRun("a").Running(inline).Finished(v1alpha1.VerdictFailed, ""), nil, hours(2)},
		"a run of its own that has its own TTL": {builders.TestRun("a").Running(inline).TTL(7*time.Hour).Finished(v1alpha1.VerdictFailed, ""), nil, hours(7)},
		"a run of its own that says nothing":    {builders.TestRun("a").Finished(v1alpha1.VerdictFailed, ""), nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := ttlOf(test.run.Build(), test.test)
			if (got == nil) != (test.want == nil) || got != nil && *got != *test.want {
				t.Errorf("it is kept for %v, want %v", got, test.want)
			}
			if test.want != nil && !mayHaveTTL(test.run.Build()) {
				t.Error("it is not looked at")
			}
		})
	}
}

func TestARunThatCanHaveNoTTLIsNotLookedAt(t *testing.T) {
	for name, run := range map[string]*v1alpha1.TestRun{
		"a definition of its own, without a TTL": builders.TestRun("a").Finished(v1alpha1.VerdictPassed, "").Build(),
		"not finished":                           builders.TestRun("a").TTL(time.Hour).Build(),
	} {
		if mayHaveTTL(run) {
			t.Errorf("%s: it is looked at", name)
		}
	}
}

func TestTheTestOfAFinishedRunIsKnown(t *testing.T) {
	rerun := builders.TestRun("a").RerunOf("b").Finished(v1alpha1.VerdictPassed, "").Build()
	rerun.Status.Test = "suite"
	for name, test := range map[string]struct {
		run  *v1alpha1.TestRun
		want []string
	}{
		"by name":                 {builders.TestRun("a").Of("suite").Finished(v1alpha1.VerdictPassed, "").Build(), []string{"suite"}},
		"repeated":                {rerun, []string{"suite"}},
		"a definition of its own": {builders.TestRun("a").Finished(v1alpha1.VerdictPassed, "").Build(), nil},
		"not finished":            {builders.TestRun("a").Of("suite").Build(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := testOfFinished(test.run); !slices.Equal(got, test.want) {
				t.Errorf("it is %q, want %q", got, test.want)
			}
		})
	}
}

func TestAPinnedRunIsNotDisposable(t *testing.T) {
	tests := map[string]struct {
		annotations map[string]string
		want        bool
	}{
		"no annotation":             {nil, true},
		"another annotation":        {map[string]string{"example.com/pinned": "true"}, true},
		"pinned":                    {map[string]string{v1alpha1.AnnotationPinned: "true"}, false},
		"pinned without a value":    {map[string]string{v1alpha1.AnnotationPinned: ""}, false},
		"pinned for a reason":       {map[string]string{v1alpha1.AnnotationPinned: "release 2.0"}, false},
		"pinned with False, a word": {map[string]string{v1alpha1.AnnotationPinned: "False"}, false},
		"pinned no longer":          {map[string]string{v1alpha1.AnnotationPinned: "false"}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			run := builders.TestRun("a").Finished(v1alpha1.VerdictPassed, "").Build()
			run.Annotations = test.annotations
			if got := isDisposable(run); got != test.want {
				t.Errorf("disposable: %t", got)
			}
		})
	}
}

func TestAPaceOfNothingIsRefused(t *testing.T) {
	err := (&Controllers{}).SetupWithManager(t.Context(), nil)
	if err == nil || err.Error() != "0 deletions per second: it is at least 1" {
		t.Errorf("it says %v", err)
	}
}
