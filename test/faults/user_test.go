package faults

import (
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// user is somebody who created a run and then does something to it.
type user struct {
	*world
	run string
}

// step is one thing that a user does.
type step func(user) error

// take does one step after the other.
func (u user) take(steps []step) error {
	for i, step := range steps {
		if err := step(u); err != nil {
			return fmt.Errorf("step %d of the user of run %s: %w", i+1, u.run, err)
		}
	}
	return nil
}

func waitsForPod(u user) error {
	return u.until("it has a pod", func() bool { return u.pod() != nil })
}

// waitsForProgress waits until the run is InProgress, or was.
func waitsForProgress(u user) error {
	return u.until("it is in progress", func() bool {
		run, _ := u.runNamed(u.run)
		return run != nil && run.Status.Phase != v1alpha1.PhasePending
	})
}

func cancels(u user) error {
	run := &v1alpha1.TestRun{ObjectMeta: u.meta(u.run)}
	cancelled := run.DeepCopy()
	cancelled.Spec.Cancel = ptr.To(true)
	return apiserver.Client.Patch(u.ctx, cancelled, client.MergeFrom(run))
}

func deletesTest(u user) error { return u.deletes(&v1alpha1.Test{ObjectMeta: u.meta(u.run)}) }

// deletesRun waits, as deletesJob does, until no creation is underway.
func deletesRun(u user) error {
	u.underway.Lock()
	defer u.underway.Unlock()
	return u.deletes(&v1alpha1.TestRun{ObjectMeta: u.meta(u.run)})
}

// createsRival creates the run that is to wait for this one.
func createsRival(u user) error { return u.begin(rivalOf(u.run), rival) }

// orphansJob deletes the run, and leaves its Job.
func orphansJob(u user) error {
	run := &v1alpha1.TestRun{ObjectMeta: u.meta(u.run)}
	return apiserver.Client.Delete(u.ctx, run, client.PropagationPolicy(metav1.DeletePropagationOrphan))
}

func waitsForEndOfPod(u user) error {
	return u.until("its pod ends", func() bool { return u.pod() == nil || hasEnded(u.pod()) })
}

func deletesPod(u user) error { return u.deletes(u.pod()) }

// suspendsJob does what a person or another controller may do to the Job of the first attempt.
func suspendsJob(u user) error {
	job := &batchv1.Job{ObjectMeta: u.meta(u.run + "-1")}
	suspended := job.DeepCopy()
	suspended.Spec.Suspend = ptr.To(true)
	return apiserver.Client.Patch(u.ctx, suspended, client.MergeFrom(job))
}

// deletesJob: a creation that is still underway would make the Job again, as docs/decisions/one-job-per-attempt.md admits.
func deletesJob(u user) error {
	u.underway.Lock()
	defer u.underway.Unlock()
	return u.deletes(&batchv1.Job{ObjectMeta: u.meta(u.run + "-1")})
}

// evictsPod does what `kubectl drain` does to a pod.
func evictsPod(u user) error {
	return apiserver.Client.SubResource("eviction").Create(u.ctx, u.pod(), &policyv1.Eviction{})
}

func (u user) deletes(object client.Object) error {
	return apiserver.Client.Delete(u.ctx, object, client.PropagationPolicy(metav1.DeletePropagationBackground))
}

// pod returns the run's pod; nil if there is none.
func (u user) pod() *corev1.Pod {
	if pods := living[*corev1.Pod](u.history, u.run); len(pods) > 0 {
		return pods[0]
	}
	return nil
}

func (u user) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: u.namespace, Name: name}
}
