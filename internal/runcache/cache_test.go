package runcache

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
	"github.com/testrun-dev/testrun/internal/jobspec"
	"github.com/testrun-dev/testrun/internal/lifecycle"
	"github.com/testrun-dev/testrun/test/builders"
)

var created = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func inCache(t *testing.T, run *v1alpha1.TestRun) *v1alpha1.TestRun {
	t.Helper()
	stripped, err := StripRun(run.DeepCopy())
	if err != nil {
		t.Fatal(err)
	}
	return stripped.(*v1alpha1.TestRun)
}

func TestTheCacheHoldsOfARunThatHasNotFinishedWhatItsQueueNeeds(t *testing.T) {
	params := []v1alpha1.ParamSpec{{Name: "X", Default: ptr.To("1"), Enum: []string{"1", "2"}, Description: "an x"}}
	inline := builders.TestSpec("true", params...)
	inline.Queue, inline.Priority, inline.Retry.Failure = "slow", ptr.To[int32](3), ptr.To[int32](1)
	inline.Timeouts.Start = &v1alpha1.PositiveDuration{Duration: time.Minute}
	queued := inline
	queued.Template, queued.Params = corev1.PodTemplateSpec{}, nil
	keyed := queued
	keyed.Params = []v1alpha1.ParamSpec{{Name: "X", Default: ptr.To("1")}}
	for name, test := range map[string]struct {
		asked, held func(*v1alpha1.TestRun)
	}{
		"of a Test": {
			func(run *v1alpha1.TestRun) {
				run.Spec.TestSpec, run.Spec.TestRef = nil, &v1alpha1.TestReference{Name: "suite"}
			},
			func(run *v1alpha1.TestRun) {
				run.Spec.TestSpec, run.Spec.TestRef = nil, &v1alpha1.TestReference{Name: "suite"}
			},
		},
		"with a definition of its own": {
			func(run *v1alpha1.TestRun) { run.Spec.TestSpec = inline.DeepCopy() },
			func(run *v1alpha1.TestRun) { run.Spec.TestSpec, run.Spec.Params = queued.DeepCopy(), nil },
		},
		"whose params are its key": {
			func(run *v1alpha1.TestRun) { run.Spec.TestSpec, run.Spec.Concurrency.Key = inline.DeepCopy(), "$(X)" },
			func(run *v1alpha1.TestRun) { run.Spec.TestSpec, run.Spec.Concurrency.Key = keyed.DeepCopy(), "$(X)" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := builders.TestRun("a").Param("X", "1").Build()
			run.TypeMeta, run.UID, run.Status.Phase = metav1.TypeMeta{}, "u", v1alpha1.PhasePending
			want := run.DeepCopy()
			test.asked(run)
			test.held(want)
			run.Annotations, run.Labels = map[string]string{corev1.LastAppliedConfigAnnotation: "{}"}, map[string]string{"app": "shop"}
			run.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
			got := inCache(t, run)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("it holds %+v, want %+v", got, want)
			}
			if held, whole := queueEntry(t, got), queueEntry(t, run); held != whole {
				t.Errorf("its queue is told %+v, and of the whole run %+v", held, whole)
			}
		})
	}
}

// queueEntry is the run as its queue sees it.
func queueEntry(t *testing.T, run *v1alpha1.TestRun) admission.Run {
	t.Helper()
	suite := builders.Test("suite", builders.TestSpec("true", v1alpha1.ParamSpec{Name: "X"}))
	seen := lifecycle.Observation{Request: jobspec.Request{Run: run, Asked: run.Spec, Test: suite}}
	seen.Resolve()
	entry, ok := seen.QueueEntry()
	if !ok {
		t.Fatal("its queue is told nothing")
	}
	priority := ptr.Deref(entry.Priority, 0)
	entry.Priority = nil // a pointer, which cannot be compared
	entry.Order = uint64(priority)
	return entry
}

func TestTheCacheHoldsOfATestWhatIsNeededBeforeItsRunsStart(t *testing.T) {
	param := v1alpha1.ParamSpec{Name: "X", Default: ptr.To("1"), Enum: []string{"1", "2"}}
	described := param
	described.Description = "an x"
	large := v1alpha1.ParamSpec{Name: "Y", Enum: slices.Repeat([]string{strings.Repeat("y", 256)}, 32)}
	for name, test := range map[string]struct{ params, want []v1alpha1.ParamSpec }{
		"a Test":                  {[]v1alpha1.ParamSpec{described}, []v1alpha1.ParamSpec{param}},
		"a Test with large enums": {[]v1alpha1.ParamSpec{large}, []v1alpha1.ParamSpec{{Name: "Y"}}},
	} {
		t.Run(name, func(t *testing.T) {
			suite := builders.Test("suite", builders.TestSpec("true", test.params...))
			suite.UID, suite.Generation, suite.Spec.Description = "u", 3, "a suite"
			suite.Spec.Retention.Keep.Passed = ptr.To[int32](5)
			suite.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: "{}"}
			want := &v1alpha1.Test{ObjectMeta: metav1.ObjectMeta{Namespace: suite.Namespace, Name: "suite", UID: "u", Generation: 3}}
			want.Spec = *suite.Spec.DeepCopy()
			want.Spec.Template, want.Spec.Description, want.Spec.Params = corev1.PodTemplateSpec{}, "", test.want
			got, err := stripTest(suite)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("it holds %+v, want %+v (%v)", got, want, err)
			}
		})
	}
}

func TestTheCacheHoldsOfAFinishedRunWhatIsStillNeeded(t *testing.T) {
	spec := builders.TestSpec("true")
	spec.Retention.TTL.Passed = &v1alpha1.Duration{Duration: time.Hour}
	run := builders.TestRun("a").Running(spec).TTL(time.Minute).Finished(v1alpha1.VerdictPassed, "it passed").Build()
	run.UID, run.ResourceVersion, run.Generation, run.CreationTimestamp = "u", "7", 2, metav1.NewTime(created)
	run.Labels = map[string]string{"app": "shop"}
	run.OwnerReferences = []metav1.OwnerReference{{Kind: "Suite", Name: "nightly", UID: "s"}}
	run.Annotations = map[string]string{v1alpha1.AnnotationPinned: "true", "example.com/a": "b"}
	run.Spec.Queue, run.Spec.Unique = "slow", v1alpha1.Unique{Key: "k", Window: &v1alpha1.Duration{Duration: time.Hour}}
	run.Status.ObservedGeneration, run.Status.Test = 1, "suite"
	run.Status.Attempts = []v1alpha1.Attempt{
		{Number: 1, Job: "a-1", Verdict: v1alpha1.VerdictError, Reason: v1alpha1.ReasonDisrupted},
		{Number: 2, Job: "a-2", Verdict: v1alpha1.VerdictPassed, Reason: v1alpha1.ReasonTestPassed, Pod: "a-2-x"},
	}
	want := &v1alpha1.TestRun{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: run.Namespace, Name: "a", UID: "u", ResourceVersion: "7", Generation: 2, CreationTimestamp: metav1.NewTime(created),
			Annotations: map[string]string{v1alpha1.AnnotationPinned: "true"}, OwnerReferences: run.OwnerReferences,
		},
		Spec: v1alpha1.TestRunSpec{
			TestSpec:         &v1alpha1.TestSpec{Retention: spec.Retention},
			TTLAfterFinished: run.Spec.TTLAfterFinished, Queue: "slow", Unique: run.Spec.Unique,
		},
		Status: v1alpha1.TestRunStatus{
			ObservedGeneration: 1, Phase: v1alpha1.PhaseFinished, Verdict: v1alpha1.VerdictPassed, FinishTime: run.Status.FinishTime, Test: "suite",
			Attempts:   []v1alpha1.Attempt{{Number: 2, Job: "a-2", Verdict: v1alpha1.VerdictPassed, Reason: v1alpha1.ReasonTestPassed}},
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionTrue, Reason: "it passed"}},
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
			job.Annotations = map[string]string{v1alpha1.AnnotationStopVerdict: string(v1alpha1.VerdictCancelled)}
		}, true},
		"a Job is being deleted":    {&batchv1.Job{}, func(job *batchv1.Job, _ *corev1.Pod) { job.DeletionTimestamp = &metav1.Time{Time: created} }, true},
		"a pod loses its finalizer": {&corev1.Pod{}, func(_ *batchv1.Job, pod *corev1.Pod) { pod.Finalizers = nil }, false},
		"a pod that has ended is counted by its Job": {
			&corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodSucceeded, Message: "a"}},
			func(_ *batchv1.Job, pod *corev1.Pod) { pod.Finalizers = nil }, false,
		},
		"such a pod is deleted": {
			&corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodSucceeded, Message: "a"}},
			func(_ *batchv1.Job, pod *corev1.Pod) {
				pod.Finalizers, pod.DeletionTimestamp = nil, &metav1.Time{Time: created}
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
			pod.Annotations = map[string]string{v1alpha1.AnnotationStopVerdict: string(v1alpha1.VerdictCancelled)}
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
			if got := ChangesWhatIsHeld.Update(event.UpdateEvent{ObjectOld: update.before, ObjectNew: after}); got != update.want {
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
