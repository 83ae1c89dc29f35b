package runcache

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/lifecycle"
)

const (
	// WaitingForTest indexes the runs that have no Job yet by the name of their Test.
	WaitingForTest = "waitingForTest"

	// PodsByJob indexes pods by the UID of their Job.
	PodsByJob = "podsByJob"

	// KeepsUniqueKey indexes the finished runs whose unique key may still count.
	KeepsUniqueKey = "keepsUniqueKey"
)

// Index adds the indexes by which the controllers find objects in the cache.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	for _, index := range []struct {
		object client.Object
		name   string
		values client.IndexerFunc
	}{
		{&v1alpha1.TestRun{}, WaitingForTest, testWaitedFor},
		{&v1alpha1.TestRun{}, KeepsUniqueKey, uniqueKeyKept},
		{&corev1.Pod{}, PodsByJob, jobOfPod},
	} {
		if err := indexer.IndexField(ctx, index.object, index.name, index.values); err != nil {
			return err
		}
	}
	return nil
}

func testWaitedFor(obj client.Object) []string {
	run, ok := obj.(*v1alpha1.TestRun)
	if !ok || run.Spec.TestRef == nil || run.Status.Phase != v1alpha1.PhasePending || lifecycle.CurrentAttempt(run.Status).Job != "" {
		return nil
	}
	return []string{run.Spec.TestRef.Name}
}

func uniqueKeyKept(obj client.Object) []string {
	if run, ok := obj.(*v1alpha1.TestRun); ok && run.Status.Phase == v1alpha1.PhaseFinished && run.Spec.Unique.Window != nil {
		return []string{"true"}
	}
	return nil
}

func jobOfPod(pod client.Object) []string {
	return []string{pod.GetLabels()[batchv1.ControllerUidLabel]}
}
