package jobspec

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/runner"
)

// Runner is the program that runs a test's command as process 1 of its container and reads the results: where it is, and
// how it gets into the pod.
type Runner struct {
	// Image is the runner's image. It has to hold nothing but the static program /runner.
	Image string
	// Mount says how it gets into the pod.
	Mount RunnerMount
	// Archive is where it pushes what the test says.
	Archive Archive
}

// RunnerMount says how the runner gets into a test's pod.
type RunnerMount string

// The ways into a pod.
const (
	// ImageVolume mounts the runner's image as a volume, which Kubernetes can do from 1.35 on. See docs/decisions/results.md for the costs
	// of both.
	ImageVolume RunnerMount = "image-volume"
	// InitContainer has an init container copy the runner into an empty volume.
	InitContainer RunnerMount = "init-container"
)

// Where the runner is in a test's container, and the name of its volume and its init container.
const (
	runnerProgram = "runner"
	runnerDir     = "/testrun"
	runnerPath    = runnerDir + "/" + runnerProgram
	runnerVolume  = "testrun-runner"
)

// defaultGrace is Kubernetes' default of terminationGracePeriodSeconds.
const defaultGrace = 30 * time.Second

// formatToRead is the format in which the results of the test are read. It is None for a container without a command, too: the command in
// its image is not known before the image is pulled, so the container runs as it is.
func formatToRead(spec *v1alpha1.TestSpec) v1alpha1.ResultsFormat {
	if len(testContainerOf(spec, spec.Template.Spec.Containers).Command) == 0 {
		return v1alpha1.ResultsNone
	}
	if spec.Results.Format == "" {
		return v1alpha1.ResultsAuto
	}
	return spec.Results.Format
}

// optionsOf are the runner's for that test; with format None it has no runner.
func optionsOf(pod *corev1.PodSpec, test *corev1.Container, results v1alpha1.ResultsSpec, format v1alpha1.ResultsFormat) runner.Options {
	return runner.Options{
		Format: string(format), Grace: runnerGrace(pod), StopSignal: stopSignalOf(test),
		Path: literal(results.Path), Report: literal(test.TerminationMessagePath), Command: test.Command,
	}
}

// addTo puts the runner into the pod, in front of the command of the test's container.
func (r Runner) addTo(pod *corev1.PodSpec, test *corev1.Container, options runner.Options) {
	test.Command = append([]string{runnerPath}, options.Args()...)
	r.mount(pod, test)
	r.Archive.mount(pod, test)
}

// stopSignalOf is the container's own stop signal if the runner would not take it for a stop by itself; else it is empty.
func stopSignalOf(test *corev1.Container) string {
	if test.Lifecycle == nil || test.Lifecycle.StopSignal == nil {
		return ""
	}
	switch signal := *test.Lifecycle.StopSignal; signal {
	case corev1.SIGUSR1, corev1.SIGUSR2, corev1.SIGALRM, corev1.SIGIO, corev1.SIGPOLL, corev1.SIGWINCH:
		return string(signal)
	default: // the runner takes it for a stop anyway, or never sees it
		return ""
	}
}

func (r Runner) mount(pod *corev1.PodSpec, test *corev1.Container) {
	volume := corev1.Volume{Name: runnerVolume, VolumeSource: corev1.VolumeSource{
		Image: &corev1.ImageVolumeSource{Reference: r.Image, PullPolicy: corev1.PullIfNotPresent},
	}}
	mount := corev1.VolumeMount{Name: runnerVolume, MountPath: runnerDir} // the volume of an image cannot be written to
	if r.Mount == InitContainer {
		mount.ReadOnly = true
		volume.VolumeSource = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
		pod.InitContainers = slices.Insert(pod.InitContainers, 0, r.installer(test))
	}
	pod.Volumes = append(pod.Volumes, volume)
	test.VolumeMounts = append(test.VolumeMounts, mount)
}

// installer is the init container that copies the runner. It has the security context of the test's container with fewer rights, and the
// same resources. So a namespace that admits the test's container admits this one too, and the pod needs no more resources than before.
func (r Runner) installer(test *corev1.Container) corev1.Container {
	security := test.SecurityContext.DeepCopy()
	if security == nil {
		security = &corev1.SecurityContext{}
	}
	security.Privileged = nil
	security.AllowPrivilegeEscalation = ptr.To(false)
	security.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
	return corev1.Container{
		Name: runnerVolume, Image: r.Image, ImagePullPolicy: corev1.PullIfNotPresent,
		Command:         []string{"/" + runnerProgram, runner.Install, runnerPath},
		Resources:       *test.Resources.DeepCopy(),
		VolumeMounts:    []corev1.VolumeMount{{Name: runnerVolume, MountPath: runnerDir}},
		SecurityContext: security,
	}
}

// runnerGrace is how long the runner waits after SIGTERM before it kills the test. It is a little shorter than the time after which the
// kubelet kills the runner, which still has to report.
func runnerGrace(pod *corev1.PodSpec) time.Duration {
	grace := defaultGrace
	if seconds := pod.TerminationGracePeriodSeconds; seconds != nil {
		grace = time.Duration(*seconds) * time.Second
	}
	return grace - min(2*time.Second, grace/4)
}

// literal escapes a text for a command, an argument or a variable, where Kubernetes replaces $(NAME) and reads $$ as $.
func literal(text string) string { return strings.ReplaceAll(text, "$", "$$") }
