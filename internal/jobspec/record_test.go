package jobspec

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// recorded is the record of a Job that says this.
func recorded(text string) Record {
	return RecordOn(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.AnnotationRecord: text}}})
}

// Whoever may change Jobs can write anything into their annotations. What the API would not accept is ignored.
func TestWhatAJobSaysIsReadWithinTheLimitsOfTheAPI(t *testing.T) {
	for _, value := range []string{"-3600000000000", "0", "1", "7200000000000000000", "99999999999999999999", `"1h"`, "null", "1e9", "∞"} {
		if limit := recorded(`{"startTimeout":` + value + `}`).StartTimeout; limit != defaultStartTimeout {
			t.Errorf("startTimeout %s is %s", value, limit)
		}
	}
	if limit := recorded(fmt.Sprintf(`{"unreachableTimeout":%d}`, 99999*time.Hour)).UnreachableTimeout; limit != 99999*time.Hour {
		t.Errorf("the longest unreachableTimeout is %s", limit)
	}
	for value, want := range map[string]int64{"-7": 0, `"3"`: 0, "99999999999999999999": 0, "3": 3} {
		if generation := recorded(`{"testGeneration":` + value + `}`).TestGeneration; generation != want {
			t.Errorf("testGeneration %s is %d, want %d", value, generation, want)
		}
	}
	for value, want := range map[string]v1alpha1.ResultsFormat{`""`: "Auto", `"None"`: "None", `"TAP"`: "TAP", `"Nonsense"`: "Auto"} {
		if format := recorded(`{"format":` + value + `}`).Format; format != want {
			t.Errorf("format %s is %s, want %s", value, format, want)
		}
	}
	for _, value := range []string{
		`{"failure":1000000}`, `{"failure":-1}`, `{"disruption":11}`, `{"factor":0}`, `{"factor":1000000}`,
		`{"base":-1}`, `{"cap":9223372036854775807}`, `{"permanent":[` + strings.Repeat("1,", 40) + `1]}`, `[]`, `{"base":1e400}`,
	} {
		policy := recorded(`{"retry":` + value + `}`).Retry
		if !reflect.DeepEqual(policy, retryPolicy{}) || policy.Backoff(32) != 0 {
			t.Errorf("retry %s is %+v", value, policy)
		}
	}
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	other := Record{
		Container: "prove", TestGeneration: 3, StartTimeout: time.Minute, UnreachableTimeout: time.Hour, Retry: retryPolicy{Failure: 1, Factor: 1},
		Queueing: Queueing{Queue: "slow", Key: "k", Max: 2, Timeout: time.Minute}, Format: v1alpha1.ResultsNone, Definition: "1:x",
	}
	for _, record := range []Record{defaults(), other} {
		if read := readRecord(record.annotations()); !reflect.DeepEqual(read, record) {
			t.Errorf("%+v is read as %+v", record, read)
		}
	}
	if annotations := defaults().annotations(); len(annotations) > 0 {
		t.Errorf("the defaults are written as %v", annotations)
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
		if kept := recorded(`{"queueing":` + value + `}`).QueueingOf(run); kept != want {
			t.Errorf("%s is %+v, want %+v", value, kept, want)
		}
	}
}
