package faults

import (
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

func (u user) waitsFor(what string, holds func() bool) error {
	return u.history.until(u.ctx, what, holds)
}

func (u user) waitsForPod() error {
	return u.waitsFor("run "+u.run+" has a pod", func() bool { return len(living[*corev1.Pod](u.history, u.run)) > 0 })
}

func (u user) waitsForPhase(phase v1alpha1.Phase) error {
	return u.waitsFor("run "+u.run+" is "+string(phase), func() bool {
		run, _ := u.history.runNamed(u.run)
		return run != nil && run.Status.Phase == phase
	})
}

func (u user) cancels() error {
	run := &v1alpha1.TestRun{ObjectMeta: metav1.ObjectMeta{Namespace: u.namespace, Name: u.run}}
	cancelled := run.DeepCopy()
	cancelled.Spec.Cancel = ptr.To(true)
	return apiserver.Client.Patch(u.ctx, cancelled, client.MergeFrom(run))
}

func (u user) deletes(object client.Object, name string) error {
	object.SetNamespace(u.namespace)
	object.SetName(name)
	return apiserver.Client.Delete(u.ctx, object, client.PropagationPolicy(metav1.DeletePropagationBackground))
}

// pod returns the run's pod, which must exist.
func (u user) pod() *corev1.Pod { return living[*corev1.Pod](u.history, u.run)[0] }

// evicts does what `kubectl drain` does to a pod.
func (u user) evicts(pod *corev1.Pod) error {
	return apiserver.Client.SubResource("eviction").Create(u.ctx, pod, &policyv1.Eviction{})
}
