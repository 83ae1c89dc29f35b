package controller

import (
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archivestatus"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/runner"
	"github.com/testrun-dev/testrun/test/builders"
)

// withAccount names the ServiceAccount that the API server names by itself where the admission of ServiceAccounts is on. It is off here, and a
// pod can have no token without a name.
func withAccount(run *builders.TestRunBuilder) *builders.TestRunBuilder {
	run.Spec.TestSpec.Template.Spec.ServiceAccountName = "default"
	return run
}

// archiveOf is what the runner of the Job is told of the archive; nil if it is told nothing and has no token.
func (w *world) archiveOf(job *batchv1.Job) []string {
	w.T.Helper()
	pod := job.Spec.Template.Spec
	options, err := runner.Parse(pod.Containers[0].Command[1:])
	w.Must(err)
	mounted := slices.ContainsFunc(pod.Containers[0].VolumeMounts, func(mount corev1.VolumeMount) bool { return mount.MountPath == push.TokenDir })
	if told := options.Archive == archiveURL; told != mounted || told != (len(options.ArchivePins) > 0) {
		w.T.Errorf("Job %s is told of the archive %q with the pins %q, and has a token: %t", job.Name, options.Archive, options.ArchivePins, mounted)
	}
	return options.ArchivePins
}

func TestAJobIsToldTheKeyThatTheArchiveHasWhenItIsMade(t *testing.T) {
	w := newWorld(t)
	w.withArchive(24 * time.Hour)
	w.startController()
	w.Create(builders.TestRun("before").Build())
	if told := w.archiveOf(w.WaitForJob("before")); told != nil {
		t.Errorf("before the archive has a key a Job is told %q", told)
	}

	w.publish(archivestatus.Status{Pins: pins[:1]})
	w.waitForMetric(statusKnown, archivestatus.KeyPins, 1)
	w.Create(withAccount(builders.TestRun("retried")).Retry(1, 0).Build())
	if told := w.archiveOf(w.WaitForJob("retried")); !slices.Equal(told, pins[:1]) {
		t.Errorf("a Job is told %q, want %q", told, pins[:1])
	}
	pod := w.Execute("retried")

	w.publish(archivestatus.Status{Watermark: beforeAll, Pins: pins})
	w.waitForMetric(statusKnown, archivestatus.KeyWatermark, 1) // so it has been read
	w.Exit(pod, corev1.ContainerStateTerminated{ExitCode: 1})
	second := w.WaitForPodOf("retried", "2")
	job := &batchv1.Job{}
	w.Must(w.Client.Get(w.Ctx, w.Key("retried-2"), job))
	if told := w.archiveOf(job); !slices.Equal(told, pins) {
		t.Errorf("the Job of the second attempt is told %q, want %q", told, pins)
	}
	w.Exit(w.Start(second), corev1.ContainerStateTerminated{ExitCode: 0})
	run := w.WaitForFinished("retried", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	if !ptr.Deref(run.Status.Flaky, false) {
		t.Error("it is not flaky")
	}
}

func TestTheFirstJobAfterTheOperatorHasStartedIsToldOfTheArchive(t *testing.T) {
	w := newWorld(t)
	w.withArchive(24 * time.Hour)
	w.stored(beforeAll)
	w.Create(builders.TestRun("run").Build())
	w.startController()
	if told := w.archiveOf(w.WaitForJob("run")); !slices.Equal(told, pins[:1]) {
		t.Errorf("it is told %q, want %q", told, pins[:1])
	}
}

func TestARunGoesOnWhenTheOperatorIsStartedAnewWithOrWithoutAnArchive(t *testing.T) {
	for name, first := range map[string]bool{"with": true, "without": false} {
		t.Run("first "+name, func(t *testing.T) {
			w := newWorld(t)
			w.stored(beforeAll)
			switchTo := func(archive bool) (stop func()) {
				if w.adjust = nil; archive {
					w.withArchive(24 * time.Hour)
				}
				return w.startController()
			}
			stop := switchTo(first)
			w.Create(withAccount(builders.TestRun("run")).Retry(1, 0).Build())
			if told := w.archiveOf(w.WaitForJob("run")); (told != nil) != first {
				t.Errorf("it is told %q", told)
			}
			pod := w.Execute("run")
			w.WaitForInProgress("run")
			stop()
			switchTo(!first)
			w.Exit(pod, corev1.ContainerStateTerminated{ExitCode: 1})
			w.Exit(w.Start(w.WaitForPodOf("run", "2")), corev1.ContainerStateTerminated{ExitCode: 0})
			w.WaitForPassed("run")
			job := &batchv1.Job{}
			w.Must(w.Client.Get(w.Ctx, w.Key("run-2"), job))
			if told := w.archiveOf(job); (told != nil) == first {
				t.Errorf("the Job of the second attempt is told %q", told)
			}
		})
	}
}

func TestANamespaceWithTheRestrictedPodSecurityStandardTakesThePodsToken(t *testing.T) {
	w := newWorld(t)
	home := &corev1.Namespace{}
	w.Must(w.Client.Get(w.Ctx, client.ObjectKey{Name: w.Namespace}, home))
	before := home.DeepCopy()
	home.Labels["pod-security.kubernetes.io/enforce"] = "restricted"
	w.Must(w.Client.Patch(w.Ctx, home, client.MergeFrom(before)))
	spec := builders.TestSpec("true")
	spec.Template.Spec.SecurityContext = &corev1.PodSecurityContext{
		RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](1000), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	spec.Template.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	w.withArchive(24 * time.Hour)
	w.stored(beforeAll)
	w.startController()
	w.Create(withAccount(builders.TestRun("run").Running(spec)).Build())
	pod := w.WaitForPod("run")
	if !slices.ContainsFunc(pod.Spec.Volumes, func(volume corev1.Volume) bool { return volume.Projected != nil && volume.Name == "testrun-archive" }) {
		t.Errorf("it has the volumes %+v", pod.Spec.Volumes)
	}
}

func TestATemplateThatUsesTheTokensNameIsRefusedWithKubernetesWords(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*corev1.PodSpec)
		quote  string
	}{
		"the volume": {func(pod *corev1.PodSpec) {
			pod.Volumes = append(pod.Volumes, corev1.Volume{Name: "testrun-archive"})
		}, `Duplicate value: "testrun-archive"`},
		"the folder": {func(pod *corev1.PodSpec) {
			pod.Volumes = append(pod.Volumes, corev1.Volume{Name: "mine"})
			pod.Containers[0].VolumeMounts = append(pod.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "mine", MountPath: push.TokenDir})
		}, `Invalid value: "` + push.TokenDir + `": must be unique`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			spec := builders.TestSpec("true")
			c.change(&spec.Template.Spec)
			w.withArchive(24 * time.Hour)
			w.stored(beforeAll)
			w.startController()
			w.Create(builders.TestRun("run").Running(spec).Build())
			w.WaitForFinished("run", v1alpha1.VerdictError, v1alpha1.ReasonJobInvalid, c.quote)
		})
	}
}
