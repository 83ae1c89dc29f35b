package faults

import (
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/conditions"
	"github.com/testrun-dev/testrun/test/history"
)

// record writes the history of the namespace, in which nothing is yet.
func record(namespace string) (*history.History, error) {
	return history.Record(namespace, &v1alpha1.TestRunList{}, &batchv1.JobList{}, &corev1.PodList{})
}

// until waits until the condition holds, as long as anything may take.
func (w *world) until(what string, holds func() bool) error {
	return w.history.Until(w.ctx, w.patience, what, holds)
}

// runNamed returns the last version of the run, and whether it still exists. It is nil before there is one.
func (w *world) runNamed(name string) (run *v1alpha1.TestRun, exists bool) {
	runs, exist := history.Last[*v1alpha1.TestRun](w.history)
	for i, run := range runs {
		if run.Name == name {
			return run, exist[i]
		}
	}
	return nil, false
}

// living returns the objects of a kind that belong to the run and exist; to any run if it has no name.
func living[T client.Object](h *history.History, run string) []T {
	var objects []T
	all, exist := history.Last[T](h)
	for i, object := range all {
		if exist[i] && (run == "" || object.GetLabels()[v1alpha1.LabelRun] == run) {
			objects = append(objects, object)
		}
	}
	return objects
}

// belongs says whether the object is the run of that name or made for it.
func belongs(object client.Object, run string) bool {
	if label := object.GetLabels()[v1alpha1.LabelRun]; label != "" {
		return label == run
	}
	return object.GetName() == run
}

func describe(object client.Object) string {
	switch object := object.(type) {
	case *v1alpha1.TestRun:
		status := object.Status
		return fmt.Sprintf("run %s: %s %s (%s), %d attempts", object.Name, status.Phase, status.Verdict, conditions.Reason(object), len(status.Attempts))
	case *batchv1.Job:
		var ends []string
		for _, condition := range object.Status.Conditions {
			ends = append(ends, string(condition.Type))
		}
		return fmt.Sprintf("job %s: %v, active %d, suspended %t, deleting %t", object.Name, ends, object.Status.Active,
			object.Spec.Suspend != nil && *object.Spec.Suspend, object.DeletionTimestamp != nil)
	case *corev1.Pod:
		return fmt.Sprintf("pod %s: %s %s, on %q, deleting %t", object.Name, object.Status.Phase, object.Status.Reason,
			object.Spec.NodeName, object.DeletionTimestamp != nil)
	default:
		return fmt.Sprintf("%T %s", object, object.GetName())
	}
}
