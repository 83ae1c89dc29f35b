package testrun

import (
	"fmt"
	"reflect"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

func inCache(t *testing.T, run *v1alpha1.TestRun) *v1alpha1.TestRun {
	t.Helper()
	stripped, err := stripRun(run.DeepCopy())
	if err != nil {
		t.Fatal(err)
	}
	return stripped.(*v1alpha1.TestRun)
}

func TestTheCacheHoldsARunThatHasNotFinishedWhole(t *testing.T) {
	run := builders.TestRun("a").Param("X", "1").Build()
	run.Annotations = map[string]string{"example.com/a": "b"}
	want := run.DeepCopy()
	run.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	run.Annotations[corev1.LastAppliedConfigAnnotation] = "{}"
	if got := inCache(t, run); !reflect.DeepEqual(got, want) {
		t.Errorf("it holds %+v, want %+v", got, want)
	}
}

func TestTheCacheHoldsOfAFinishedRunWhatIsStillNeeded(t *testing.T) {
	spec := builders.TestSpec("true")
	spec.Retention.TTL.Passed = &metav1.Duration{Duration: time.Hour}
	run := builders.TestRun("a").Running(spec).TTL(time.Minute).Finished(v1alpha1.VerdictPassed, "it passed").Build()
	run.UID, run.ResourceVersion, run.Generation, run.CreationTimestamp = "u", "7", 2, metav1.NewTime(t0)
	run.Labels = map[string]string{"app": "shop"}
	run.Annotations = map[string]string{v1alpha1.AnnotationPinned: "true", "example.com/a": "b"}
	run.Spec.Queue, run.Spec.Unique = "slow", v1alpha1.Unique{Key: "k", Window: &metav1.Duration{Duration: time.Hour}}
	run.Status.ObservedGeneration, run.Status.Test = 1, "suite"
	run.Status.Attempts = []v1alpha1.Attempt{
		{Number: 1, Job: "a-1", Verdict: v1alpha1.VerdictError, Reason: v1alpha1.ReasonDisrupted},
		{Number: 2, Job: "a-2", Verdict: v1alpha1.VerdictPassed, Reason: v1alpha1.ReasonTestPassed, Pod: "a-2-x"},
	}
	want := &v1alpha1.TestRun{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: run.Namespace, Name: "a", UID: "u", ResourceVersion: "7", Generation: 2, CreationTimestamp: metav1.NewTime(t0),
			Annotations: map[string]string{v1alpha1.AnnotationPinned: "true"},
		},
		Spec: v1alpha1.TestRunSpec{
			TestSpec:         &v1alpha1.TestSpec{Retention: spec.Retention},
			TTLAfterFinished: run.Spec.TTLAfterFinished, Queue: "slow", Unique: run.Spec.Unique,
		},
		Status: v1alpha1.TestRunStatus{
			ObservedGeneration: 1, Phase: v1alpha1.PhaseFinished, Verdict: v1alpha1.VerdictPassed, FinishTime: run.Status.FinishTime, Test: "suite",
			Attempts: []v1alpha1.Attempt{{Number: 2, Job: "a-2", Verdict: v1alpha1.VerdictPassed, Reason: v1alpha1.ReasonTestPassed}},
		},
	}
	if got := inCache(t, run); !reflect.DeepEqual(got, want) {
		t.Errorf("it holds %+v, want %+v", got, want)
	}
}

// The informer's maps are not counted.
func TestAFinishedRunIsSmallInTheCache(t *testing.T) {
	const runs, most = 2000, 1280
	kept := make([]*v1alpha1.TestRun, runs)
	before := heap()
	for i := range kept {
		run := builders.TestRun(fmt.Sprintf("run-%d", i)).Of(fmt.Sprint("suite-", i%10)).Finished(v1alpha1.VerdictPassed, "it passed").Build()
		run.UID, run.Status.Attempts = "2f7ff22f-4d7c-48d9-8e3d-264abcdf0f63", []v1alpha1.Attempt{{Number: 1, Job: run.Name + "-1"}}
		kept[i] = inCache(t, run)
	}
	if each := (heap() - before) / runs; each > most {
		t.Errorf("each takes %d bytes, want %d at most", each, most)
	}
	runtime.KeepAlive(kept)
}

// heap is how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
