package testrun

import (
	"reflect"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// annotated is a Job with that annotation.
func annotated(key, value string) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{key: value}}}
}

// Who may change Jobs can write anything into their annotations. What the API would not take is not believed.
func TestWhatAJobSaysIsReadWithinTheLimitsOfTheAPI(t *testing.T) {
	for _, value := range []string{"", "-1h", "0s", "1ns", "2000000h", "9999999999999h", "NaN", "1e9", "∞"} {
		if limit := startTimeoutOf(annotated(v1alpha1.AnnotationStartTimeout, value)); limit != defaultStartTimeout {
			t.Errorf("start-timeout %q is %s", value, limit)
		}
	}
	if limit := unreachableTimeoutOf(annotated(v1alpha1.AnnotationUnreachableTimeout, "99999h")); limit != 99999*time.Hour {
		t.Errorf("the longest unreachable-timeout is %s", limit)
	}
	for value, want := range map[string]int64{"-7": 0, "NaN": 0, "99999999999999999999": 0, "3": 3} {
		if generation := testGenerationOf(annotated(v1alpha1.AnnotationTestGeneration, value)); generation != want {
			t.Errorf("test-generation %q is %d, want %d", value, generation, want)
		}
	}
	for value, want := range map[string]v1alpha1.ResultsFormat{"": "None", "None": "None", "TAP": "TAP", "Nonsense": "Auto"} {
		if format := formatReadOf(annotated(v1alpha1.AnnotationResultsFormat, value)); format != want {
			t.Errorf("results-format %q is %s, want %s", value, format, want)
		}
	}
	for _, value := range []string{
		`{"failure":1000000,"factor":2}`, `{"failure":-1,"factor":2}`, `{"disruption":11,"factor":2}`, `{"factor":0}`, `{"factor":1000000}`,
		`{"factor":2,"base":-1}`, `{"factor":2,"cap":9223372036854775807}`, `{"factor":2,"permanent":[` + strings.Repeat("1,", 40) + `1]}`, `[]`, `{"base":1e400}`,
	} {
		policy := retryPolicyOf(annotated(v1alpha1.AnnotationRetry, value))
		if !reflect.DeepEqual(policy, retryPolicy{}) || policy.backoff(maxAttempts) != 0 {
			t.Errorf("retry %s is %+v", value, policy)
		}
	}
}

func TestTheLongestBackoffDoesNotOverflow(t *testing.T) {
	policy := retryPolicy{Base: maxDuration - 1, Factor: maxFactor, Cap: maxDuration}
	if wait := policy.backoff(maxAttempts); wait != maxDuration {
		t.Errorf("it is %s, want %s", wait, maxDuration)
	}
}

func TestAChangedPlaceDoesNotLeaveTheQueueThatTheRunNames(t *testing.T) {
	for value, want := range map[string]place{
		`{"queue":"mine"}`:                              {Queue: "slow"},
		`{"queue":"slow","key":"k","max":2}`:            {Queue: "slow", Key: "k", Max: 2},
		`{"queue":"slow","key":"k","max":-2}`:           {Queue: "slow"},
		`{"queue":"slow","key":"k","max":99999999}`:     {Queue: "slow"},
		`{"queue":"` + strings.Repeat("a", 64) + `"}`:   {Queue: "slow"},
		`{"queue":"slow","max":9999999999999999999999}`: {Queue: "slow"},
	} {
		run := aRun(func(run *v1alpha1.TestRun) { run.Spec.Queue = "slow" }).run
		if kept := placeKept(annotated(v1alpha1.AnnotationAdmission, value), run); kept != want {
			t.Errorf("%s is %+v, want %+v", value, kept, want)
		}
	}
}

// Anybody who may create pods can give one the labels of a Job's pods.
func TestTheCacheKnowsAPodAsTheJobsOnlyIfTheJobControlsIt(t *testing.T) {
	owner := func(kind, uid string, controls bool) metav1.OwnerReference {
		return metav1.OwnerReference{Kind: kind, Name: "owner", UID: types.UID("uid-" + uid), Controller: ptr.To(controls)}
	}
	for name, test := range map[string]struct {
		owners []metav1.OwnerReference
		want   string
	}{
		"the Job's own pod":                             {[]metav1.OwnerReference{owner("Job", "1", true)}, "uid-1"},
		"a pod of nobody":                               {nil, ""},
		"a pod that a ConfigMap controls":               {[]metav1.OwnerReference{owner("ConfigMap", "2", true)}, ""},
		"a pod that another Job controls":               {[]metav1.OwnerReference{owner("Job", "2", true)}, ""},
		"a pod that the Job owns and another controls":  {[]metav1.OwnerReference{owner("Job", "1", false), owner("ConfigMap", "2", true)}, ""},
		"a pod with the Job's UID under another's kind": {[]metav1.OwnerReference{owner("ConfigMap", "1", true)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
				Labels:          map[string]string{v1alpha1.LabelRun: "smoke", batchv1.ControllerUidLabel: "uid-1"},
				OwnerReferences: test.owners,
			}}
			if _, err := stripPod(pod); err != nil {
				t.Fatal(err)
			}
			if got := jobOfPod(pod)[0]; got != test.want {
				t.Errorf("it is the pod of Job %q, want %q", got, test.want)
			}
		})
	}
}
