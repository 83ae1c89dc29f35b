package testrun

import (
	"fmt"
	"reflect"
	"runtime"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

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

func TestWhatTheCacheHoldsOfJobsAndPodsDecidesWhetherTheirRunIsLookedAt(t *testing.T) {
	updates := map[string]struct {
		before client.Object
		change func(job *batchv1.Job, pod *corev1.Pod)
		want   bool
	}{
		"a Job counts its pods": {&batchv1.Job{}, func(job *batchv1.Job, _ *corev1.Pod) { job.Status.Active, job.Status.Ready = 1, ptr.To[int32](1) }, false},
		"a Job has ended": {&batchv1.Job{}, func(job *batchv1.Job, _ *corev1.Pod) {
			job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobFailed}}
		}, true},
		"a Job is suspended": {&batchv1.Job{}, func(job *batchv1.Job, _ *corev1.Pod) { job.Spec.Suspend = ptr.To(true) }, true},
		"a Job is told to stop": {&batchv1.Job{}, func(job *batchv1.Job, _ *corev1.Pod) {
			job.Annotations = withStopRequest(nil, finished(v1alpha1.VerdictCancelled, "", ""))
		}, true},
		"a Job is being deleted":    {&batchv1.Job{}, func(job *batchv1.Job, _ *corev1.Pod) { job.DeletionTimestamp = &metav1.Time{Time: t0} }, true},
		"a pod loses its finalizer": {&corev1.Pod{}, func(_ *batchv1.Job, pod *corev1.Pod) { pod.Finalizers = nil }, false},
		"a pod that has ended is counted by its Job": {
			&corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodSucceeded, Message: "a"}},
			func(_ *batchv1.Job, pod *corev1.Pod) { pod.Finalizers = nil }, false,
		},
		"such a pod is deleted": {
			&corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodSucceeded, Message: "a"}},
			func(_ *batchv1.Job, pod *corev1.Pod) {
				pod.Finalizers, pod.DeletionTimestamp = nil, &metav1.Time{Time: t0}
			}, true,
		},
		"the last container of a pod that was counted ends": {
			&corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed, ContainerStatuses: []corev1.ContainerStatus{
				{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
			}}},
			func(_ *batchv1.Job, pod *corev1.Pod) {
				pod.Finalizers = nil
				pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137}}
			}, true,
		},
		"a pod gets an address": {&corev1.Pod{}, func(_ *batchv1.Job, pod *corev1.Pod) { pod.Status.PodIP = "10.0.0.1" }, false},
		"a pod gets a node":     {&corev1.Pod{}, func(_ *batchv1.Job, pod *corev1.Pod) { pod.Spec.NodeName = "node" }, true},
		"a pod's container has begun": {&corev1.Pod{}, func(_ *batchv1.Job, pod *corev1.Pod) {
			pod.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
		}, true},
		"a pod is told to stop": {&corev1.Pod{}, func(_ *batchv1.Job, pod *corev1.Pod) {
			pod.Annotations = withStopRequest(nil, finished(v1alpha1.VerdictCancelled, "", ""))
		}, true},
	}
	for name, update := range updates {
		t.Run(name, func(t *testing.T) {
			update.before.SetFinalizers([]string{batchv1.JobTrackingFinalizer})
			after := update.before.DeepCopyObject().(client.Object)
			job, _ := after.(*batchv1.Job)
			pod, _ := after.(*corev1.Pod)
			update.change(job, pod)
			after.SetResourceVersion("2")
			for _, obj := range []client.Object{update.before, after} {
				for _, strip := range []toolscache.TransformFunc{stripJob, stripPod} {
					if _, err := strip(obj); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got := changesWhatIsHeld.Update(event.UpdateEvent{ObjectOld: update.before, ObjectNew: after}); got != update.want {
				t.Errorf("it is looked at: %t", got)
			}
		})
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
