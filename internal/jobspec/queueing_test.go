package jobspec

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

func TestWhereARunWaits(t *testing.T) {
	spec := v1alpha1.Concurrency{Key: "tests", Max: 3}
	tests := map[string]struct {
		change func(*v1alpha1.TestRun)
		want   Queueing
	}{
		"in the queue default": {func(*v1alpha1.TestRun) {}, Queueing{Queue: "default"}},
		"in the test's queue":  {func(run *v1alpha1.TestRun) { run.Spec.TestSpec.Queue = "slow" }, Queueing{Queue: "slow"}},
		"in its own queue":     {func(run *v1alpha1.TestRun) { run.Spec.TestSpec.Queue, run.Spec.Queue = "slow", "fast" }, Queueing{Queue: "fast"}},
		"with the test's key":  {func(run *v1alpha1.TestRun) { run.Spec.TestSpec.Concurrency = spec }, Queueing{Queue: "default", Key: "tests", Max: 3}},
		"with its own key":     {func(run *v1alpha1.TestRun) { run.Spec.TestSpec.Concurrency, run.Spec.Concurrency.Key = spec, "own" }, Queueing{Queue: "default", Key: "own", Max: 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			asked := asking(test.change)
			got := asked.Definition().Queueing
			if got != test.want {
				t.Errorf("it is %+v, want %+v", got, test.want)
			}
			if kept := RecordOn(asked.job(FirstAttempt)).QueueingOf(asked.Run); kept != got {
				t.Errorf("the Job keeps %+v", kept)
			}
		})
	}
}

func TestParamsArePutIntoAKey(t *testing.T) {
	params := []corev1.EnvVar{{Name: "TARGET", Value: "$(OTHER)"}, {Name: "OTHER", Value: "x"}}
	for key, want := range map[string]string{
		"plain":                "plain",
		"a-$(TARGET)-$(OTHER)": "a-$(OTHER)-x",
		"$$(TARGET)":           "$(TARGET)",
		"$(UNKNOWN) $TARGET":   "$(UNKNOWN) $TARGET",
	} {
		if got := expand(key, params); got != want {
			t.Errorf("%q becomes %q, want %q", key, got, want)
		}
	}
}
