package e2e

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

// Scripts of tests that take their time.
const (
	// forEver says that it has begun, and that it was told to stop.
	forEver = `trap 'echo told to stop; exit 3' TERM; echo begun; while :; do sleep 0.2; done`
	// tenSeconds takes so long, and passes.
	tenSeconds = "echo begun; sleep 10"
)

// specWith is a definition that does nothing, with something changed in its pod.
func specWith(change func(*corev1.PodSpec)) v1alpha1.TestSpec {
	spec := builders.TestSpec("true")
	change(&spec.Template.Spec)
	return spec
}

// executing is a definition that executes a command without a shell.
func executing(command ...string) v1alpha1.TestSpec {
	return specWith(func(pod *corev1.PodSpec) { pod.Containers[0].Command = command })
}

// byExitCode is the definition without the runner.
func byExitCode(spec v1alpha1.TestSpec) v1alpha1.TestSpec {
	spec.Results.Format = v1alpha1.ResultsNone
	return spec
}

// withImage is a definition whose image is another.
func withImage(image string) v1alpha1.TestSpec {
	return specWith(func(pod *corev1.PodSpec) { pod.Containers[0].Image = image })
}

// prepared is a definition whose pod has an init container, named prepare.
func prepared(script string) v1alpha1.TestSpec {
	return specWith(func(pod *corev1.PodSpec) {
		pod.InitContainers = []corev1.Container{{Name: "prepare", Image: builders.Image, Command: []string{"sh", "-c", script}}}
	})
}

// preparing waits until the init container of the run's pod runs.
func (w *world) preparing(run string) {
	w.T.Helper()
	w.WaitFor("the init container of "+run+" runs", func() bool {
		statuses := w.waitForPod(run).Status.InitContainerStatuses
		return len(statuses) > 0 && statuses[0].State.Running != nil
	})
}

func configMap(name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}
}

// mounted is a volume with a ConfigMap in it, mounted into the test's container.
func mounted(pod *corev1.PodSpec, configMapName, path string) {
	source := &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: configMapName}}
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: "files", VolumeSource: corev1.VolumeSource{ConfigMap: source}})
	pod.Containers[0].VolumeMounts = append(pod.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "files", MountPath: path})
}

// pods are those that the run has now.
func (w *world) pods(run string) []corev1.Pod {
	w.T.Helper()
	list := &corev1.PodList{}
	w.Must(w.Client.List(w.Ctx, list, client.InNamespace(w.Namespace), client.MatchingLabels{v1alpha1.LabelRun: run}))
	return list.Items
}

// waitForPod waits until the run has one.
func (w *world) waitForPod(run string) *corev1.Pod {
	w.T.Helper()
	var pods []corev1.Pod
	w.WaitFor("the pod of "+run+" exists", func() bool { pods = w.pods(run); return len(pods) > 0 })
	return &pods[0]
}

// waitForNode waits until the run's pod has a node.
func (w *world) waitForNode(run string) *corev1.Pod {
	w.T.Helper()
	w.WaitFor("the pod of "+run+" has a node", func() bool { return w.waitForPod(run).Spec.NodeName != "" })
	return w.waitForPod(run)
}

// hasLivePod says whether the run has a pod that may still do something.
func (w *world) hasLivePod(run string) bool {
	w.T.Helper()
	for _, pod := range w.pods(run) {
		if pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			return true
		}
	}
	return false
}
