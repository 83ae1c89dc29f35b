package jobspec

import (
	"reflect"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// annotated is a Job with that annotation.
func annotated(key, value string) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{key: value}}}
}

// Whoever may change Jobs can write anything into their annotations. What the API would not accept is ignored.
func TestWhatAJobSaysIsReadWithinTheLimitsOfTheAPI(t *testing.T) {
	for _, value := range []string{"", "-1h", "0s", "1ns", "2000000h", "9999999999999h", "NaN", "1e9", "∞"} {
		if limit := RecordOn(annotated(v1alpha1.AnnotationStartTimeout, value)).StartTimeout; limit != defaultStartTimeout {
			t.Errorf("start-timeout %q is %s", value, limit)
		}
	}
	if limit := RecordOn(annotated(v1alpha1.AnnotationUnreachableTimeout, "99999h")).UnreachableTimeout; limit != 99999*time.Hour {
		t.Errorf("the longest unreachable-timeout is %s", limit)
	}
	for value, want := range map[string]int64{"-7": 0, "NaN": 0, "99999999999999999999": 0, "3": 3} {
		if generation := RecordOn(annotated(v1alpha1.AnnotationTestGeneration, value)).TestGeneration; generation != want {
			t.Errorf("test-generation %q is %d, want %d", value, generation, want)
		}
	}
	for value, want := range map[string]v1alpha1.ResultsFormat{"": "None", "None": "None", "TAP": "TAP", "Nonsense": "Auto"} {
		if format := RecordOn(annotated(v1alpha1.AnnotationResultsFormat, value)).Format; format != want {
			t.Errorf("results-format %q is %s, want %s", value, format, want)
		}
	}
	for _, value := range []string{
		`{"failure":1000000,"factor":2}`, `{"failure":-1,"factor":2}`, `{"disruption":11,"factor":2}`, `{"factor":0}`, `{"factor":1000000}`,
		`{"factor":2,"base":-1}`, `{"factor":2,"cap":9223372036854775807}`, `{"factor":2,"permanent":[` + strings.Repeat("1,", 40) + `1]}`, `[]`, `{"base":1e400}`,
	} {
		policy := RecordOn(annotated(v1alpha1.AnnotationRetry, value)).Retry
		if !reflect.DeepEqual(policy, retryPolicy{}) || policy.Backoff(32) != 0 {
			t.Errorf("retry %s is %+v", value, policy)
		}
	}
}

func TestTheLongestBackoffDoesNotOverflow(t *testing.T) {
	policy := retryPolicy{Base: maxDuration - 1, Factor: maxFactor, Cap: maxDuration}
	if wait := policy.Backoff(32); wait != maxDuration {
		t.Errorf("it is %s, want %s", wait, maxDuration)
	}
}

func TestAChangedRecordDoesNotLeaveTheQueueThatTheRunNames(t *testing.T) {
	for value, want := range map[string]Queueing{
		`{"queue":"mine"}`:                              {Queue: "slow"},
		`{"queue":"slow","key":"k","max":2}`:            {Queue: "slow", Key: "k", Max: 2},
		`{"queue":"slow","key":"k","max":-2}`:           {Queue: "slow"},
		`{"queue":"slow","key":"k","max":99999999}`:     {Queue: "slow"},
		`{"queue":"` + strings.Repeat("a", 64) + `"}`:   {Queue: "slow"},
		`{"queue":"slow","max":9999999999999999999999}`: {Queue: "slow"},
	} {
		run := asking(func(run *v1alpha1.TestRun) { run.Spec.Queue = "slow" }).Run
		if kept := RecordOn(annotated(v1alpha1.AnnotationAdmission, value)).QueueingOf(run); kept != want {
			t.Errorf("%s is %+v, want %+v", value, kept, want)
		}
	}
}
